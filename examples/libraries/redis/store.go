package main

import (
	"fmt"
	"strings"
	"sync"

	"github.com/tidwall/redcon"
)

// store is the keys and their values.
type store struct {
	mu     sync.RWMutex
	values map[string][]byte // a value never changes
}

func newStore() *store { return &store{values: make(map[string][]byte)} }

// command is what a command does, and with how many arguments, itself included.
type command struct {
	least, most int // 0: no limit
	run         func(s *store, conn redcon.Conn, args [][]byte)
}

var commands = map[string]command{
	"ping": {1, 2, func(_ *store, conn redcon.Conn, args [][]byte) {
		if len(args) == 2 {
			conn.WriteBulk(args[1])
			return
		}
		conn.WriteString("PONG")
	}},
	"quit": {1, 1, func(_ *store, conn redcon.Conn, _ [][]byte) {
		conn.WriteString("OK")
		conn.Close()
	}},
	"set": {3, 3, (*store).set},
	"get": {2, 2, (*store).get},
	"del": {2, 0, (*store).del},
}

// handle runs a command and writes the answer. redcon sends the answers to all commands
// that came together.
func (s *store) handle(conn redcon.Conn, cmd redcon.Command) {
	c, ok := commands[strings.ToLower(string(cmd.Args[0]))]
	switch n := len(cmd.Args); {
	case !ok:
		conn.WriteError(fmt.Sprintf("ERR unknown command '%s'", cmd.Args[0]))
	case n < c.least || c.most > 0 && n > c.most:
		conn.WriteError(fmt.Sprintf("ERR wrong number of arguments for '%s' command", cmd.Args[0]))
	default:
		c.run(s, conn, cmd.Args)
	}
}

func (s *store) set(conn redcon.Conn, args [][]byte) {
	s.mu.Lock()
	s.values[string(args[1])] = args[2] // which is not used again: redcon copies each command
	s.mu.Unlock()
	conn.WriteString("OK")
}

func (s *store) get(conn redcon.Conn, args [][]byte) {
	s.mu.RLock()
	value, ok := s.values[string(args[1])]
	s.mu.RUnlock()
	if !ok {
		conn.WriteNull()
		return
	}
	conn.WriteBulk(value)
}

func (s *store) del(conn redcon.Conn, args [][]byte) {
	deleted := 0
	s.mu.Lock()
	for _, key := range args[1:] {
		if _, ok := s.values[string(key)]; ok {
			delete(s.values, string(key))
			deleted++
		}
	}
	s.mu.Unlock()
	conn.WriteInt(deleted)
}
