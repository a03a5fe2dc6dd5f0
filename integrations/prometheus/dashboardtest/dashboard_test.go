package dashboardtest

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// dashboard is the part of Grafana's format that the tests check.
type dashboard struct {
	ID            *int   `json:"id"` // Grafana gives a new dashboard its id
	UID           string `json:"uid"`
	Title         string `json:"title"`
	SchemaVersion int    `json:"schemaVersion"`
	Time          struct{ From, To string }
	Templating    struct{ List []variable }
	Panels        []panel
}

type variable struct {
	Name, Type string
	Datasource *datasource
	Query      any
}

type panel struct {
	ID                       int
	Type, Title, Description string
	Datasource               *datasource
	GridPos                  struct{ X, Y, W, H int }
	Targets                  []target
	FieldConfig              struct{ Defaults struct{ Unit string } }
}

type target struct {
	RefID              string `json:"refId"`
	Datasource         *datasource
	Expr, LegendFormat string
	Instant            bool
}

type datasource struct{ Type, UID string }

// load reads the dashboard.
func load(t *testing.T) dashboard {
	t.Helper()
	text, err := os.ReadFile(filepath.FromSlash("../dashboard.json"))
	if err != nil {
		t.Fatal(err)
	}
	var d dashboard
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	if len(d.Panels) == 0 {
		t.Fatal("the dashboard has no panels")
	}
	return d
}

// Grafana loads a dashboard of a schema version that it knows, and converts older ones.
// A file that is imported must not have an id or name a data source.
func TestForm(t *testing.T) {
	d := load(t)
	if d.ID != nil || d.UID == "" || d.Title == "" || d.Time.From == "" || d.Time.To == "" {
		t.Errorf("id %v, uid %q, title %q, time %v", d.ID, d.UID, d.Title, d.Time)
	}
	if d.SchemaVersion < 36 || d.SchemaVersion > 42 { // Grafana 8.5 to 12
		t.Errorf("the schema version is %d", d.SchemaVersion)
	}
	ids := map[int]bool{}
	for i, p := range d.Panels {
		if p.ID <= 0 || ids[p.ID] || p.Title == "" {
			t.Errorf("panel %d is not unique, or has no title %q", p.ID, p.Title)
		}
		ids[p.ID] = true
		g := p.GridPos
		if g.X < 0 || g.Y < 0 || g.W <= 0 || g.H <= 0 || g.X+g.W > 24 {
			t.Errorf("%s is at %+v; the grid has 24 columns", p.Title, g)
		}
		for _, q := range d.Panels[:i] {
			o := q.GridPos
			if g.X < o.X+o.W && o.X < g.X+g.W && g.Y < o.Y+o.H && o.Y < g.Y+g.H {
				t.Errorf("%s covers %s", p.Title, q.Title)
			}
		}
		checkPanel(t, p)
	}
}

func checkPanel(t *testing.T, p panel) {
	t.Helper()
	if p.Type == "row" {
		return
	}
	if !slices.Contains([]string{"timeseries", "stat", "table", "heatmap"}, p.Type) {
		t.Errorf("%s is of type %q", p.Title, p.Type)
	}
	if p.Description == "" || len(p.Targets) == 0 {
		t.Errorf("%s: the description is %q, %d queries", p.Title, p.Description, len(p.Targets))
	}
	if p.FieldConfig.Defaults.Unit == "" && (p.Type == "timeseries" || p.Type == "stat") {
		t.Errorf("%s has no unit", p.Title)
	}
	want := datasource{"prometheus", "${datasource}"}
	if p.Datasource == nil || *p.Datasource != want {
		t.Errorf("the data source of %s is %v", p.Title, p.Datasource)
	}
	refs := map[string]bool{}
	for _, q := range p.Targets {
		if q.Datasource == nil || *q.Datasource != want || q.RefID == "" || refs[q.RefID] {
			t.Errorf("%s: query %q of data source %v", p.Title, q.RefID, q.Datasource)
		}
		refs[q.RefID] = true
		if q.LegendFormat == "" && p.Type != "table" {
			t.Errorf("%s: query %s has no legend", p.Title, q.RefID)
		}
		if q.Instant != (p.Type == "stat" || p.Type == "table") {
			t.Errorf("%s: query %s is instant: %v", p.Title, q.RefID, q.Instant)
		}
	}
}

var reference = regexp.MustCompile(`\$\{?(\w+)\}?`)

// The variables that queries use are defined, and the other way round. Names that start
// with __ are Grafana's own.
func TestVariables(t *testing.T) {
	d := load(t)
	defined, used := map[string]bool{}, map[string]bool{}
	use := func(text string) {
		for _, m := range reference.FindAllStringSubmatch(text, -1) {
			if !strings.HasPrefix(m[1], "__") {
				used[m[1]] = true
			}
		}
	}
	for _, v := range d.Templating.List {
		defined[v.Name] = true
		switch q := v.Query.(type) {
		case string:
			if v.Type != "datasource" || q != "prometheus" {
				t.Errorf("variable %s is a %s of %q", v.Name, v.Type, q)
			}
		case map[string]any:
			query, _ := q["query"].(string)
			if v.Type != "query" || v.Datasource == nil || !strings.HasPrefix(query, "label_values(netring_info") {
				t.Errorf("variable %s is a %s of %v: %q", v.Name, v.Type, v.Datasource, query)
			}
			use(query)
			use(v.Datasource.UID)
		default:
			t.Errorf("variable %s has the query %v", v.Name, v.Query)
		}
	}
	for _, p := range d.Panels {
		for _, q := range p.Targets {
			use(q.Expr)
			use(q.Datasource.UID)
		}
	}
	for name := range used {
		if !defined[name] {
			t.Errorf("$%s is not defined", name)
		}
	}
	for name := range defined {
		if !used[name] {
			t.Errorf("$%s is not used", name)
		}
	}
}
