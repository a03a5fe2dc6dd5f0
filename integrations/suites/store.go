package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// store is the content of results.json.
type store struct {
	Suites map[string]*suiteResult `json:"suites"`
	Checks map[string]*checkResult `json:"checks"`
}

// suiteResult is what a suite has shown, by column.
type suiteResult struct {
	Module  string             `json:"module,omitempty"` // path@version
	Columns map[string]*result `json:"columns"`
}

// checkResult is what `netring-try check` finds in a program and its dependencies.
type checkResult struct {
	Module string `json:"module"`
	Fails  int    `json:"fails"`
	Silent int    `json:"silent"`
	Works  int    `json:"works"`
	Date   string `json:"date"`
}

func readStore(file string) (*store, error) {
	st := &store{Suites: map[string]*suiteResult{}, Checks: map[string]*checkResult{}}
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return st, nil
	}
	if err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(st); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return st, nil
}

func (st *store) write(file string) error {
	data, err := json.MarshalIndent(st, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(data, '\n'), 0o666)
}

// put replaces the results of a suite in the columns that have run, except what netring has
// served, which another run counts. Results of another version of the suite go.
func (st *store) put(s suite, columns map[string]*result) {
	r := st.Suites[s.name]
	if r == nil || r.Module != s.module {
		r = &suiteResult{Module: s.module, Columns: map[string]*result{}}
		st.Suites[s.name] = r
	}
	for name, c := range columns {
		if before := r.Columns[name]; before != nil && c.Served == nil {
			c.Served = before.Served
		}
		r.Columns[name] = c
	}
}
