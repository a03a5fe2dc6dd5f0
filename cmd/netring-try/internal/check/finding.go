package check

import "fmt"

// A Class says what happens when the value is netring's.
type Class uint8

const (
	Fails  Class = iota + 1 // panics, or takes a branch that ends in an error
	Silent                  // skips something, without an error
	Works                   // the value cannot be netring's, or the code takes netring's as well
)

func (c Class) String() string {
	switch c {
	case Fails:
		return "fails"
	case Silent:
		return "silent"
	case Works:
		return "works"
	}
	return fmt.Sprintf("Class(%d)", uint8(c))
}

// MarshalText implements encoding.TextMarshaler.
func (c Class) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (c *Class) UnmarshalText(text []byte) error {
	for _, known := range []Class{Fails, Silent, Works} {
		if known.String() == string(text) {
			*c = known
			return nil
		}
	}
	return fmt.Errorf("class %q is none of fails, silent and works", text)
}

// A Finding is a place where package net's concrete types decide.
type Finding struct {
	Class    Class  `json:"class"`
	Kind     string `json:"kind"`
	Package  string `json:"package"`
	File     string `json:"file"` // relative to the module
	Line     int    `json:"line"`
	Column   int    `json:"column"`
	Function string `json:"function,omitempty"`
	Code     string `json:"code"`
	Why      string `json:"why"`
	Write    string `json:"write,omitempty"` // what to write instead
}

// The kinds of findings.
const (
	kindAssertion  = "type assertion"
	kindSwitch     = "type switch"
	kindConversion = "conversion"
	kindMethod     = "method expression"
	kindParameter  = "parameter"
	kindField      = "field"
	kindCall       = "call"
	kindConfig     = "configuration"
	kindBuffers    = "net.Buffers"
)
