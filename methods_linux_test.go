package netring

import (
	"net"
	"reflect"
	"testing"
)

// netring's types have the methods and fields of package net's types.
func TestMethodSets(t *testing.T) {
	has := func(of reflect.Type, without map[string]bool, have reflect.Type) {
		for i := range of.NumMethod() {
			m := of.Method(i)
			if _, ok := have.MethodByName(m.Name); !ok && !without[m.Name] {
				t.Errorf("%v has %s, %v has not", of, m.Name, have)
			}
		}
	}
	has(reflect.TypeFor[*net.TCPConn](), nil, reflect.TypeFor[*Conn]())
	has(reflect.TypeFor[*net.UnixConn](), nil, reflect.TypeFor[*Conn]()) // ReadFrom and WriteTo are those of io
	has(reflect.TypeFor[*net.TCPListener](), nil, reflect.TypeFor[*Listener]())
	has(reflect.TypeFor[*net.UnixListener](), nil, reflect.TypeFor[*Listener]())
	has(reflect.TypeFor[*net.ListenConfig](), map[string]bool{"ListenPacket": true}, reflect.TypeFor[*ListenConfig]())
	has(reflect.TypeFor[*net.Dialer](), map[string]bool{"DialIP": true, "DialUDP": true}, reflect.TypeFor[*Dialer]())
	// The configurations have the same fields.
	for std, ours := range map[reflect.Type]reflect.Type{
		reflect.TypeFor[net.ListenConfig](): reflect.TypeFor[ListenConfig](), reflect.TypeFor[net.Dialer](): reflect.TypeFor[Dialer](),
	} {
		for i := range std.NumField() {
			f := std.Field(i)
			// DualStack and Cancel are deprecated.
			if _, ok := ours.FieldByName(f.Name); !ok && f.IsExported() && f.Name != "DualStack" && f.Name != "Cancel" {
				t.Errorf("%v has the field %s, %v has not", std, f.Name, ours)
			}
		}
	}
}
