package engine

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/netring-go/netring/internal/errjoin"
)

// capabilities is what a kernel's io_uring can do for the uring engine, beyond what the engine
// cannot do without.
type capabilities struct {
	submitAll bool  // IORING_SETUP_SUBMIT_ALL
	provided  bool  // the kernel chooses the buffer of a pooled Recv
	nonempty  bool  // IORING_CQE_F_SOCK_NONEMPTY
	ops       opSet // the kinds that the ring runs without leaving them armed
}

// opSet is a set of op kinds.
type opSet uint16

func (s opSet) has(k OpKind) bool { return s&(1<<k) != 0 }

// feature is an index into features.
type feature int

const (
	featureRing feature = iota
	featureRecvSend
	featureSendmsg
	featureAccept
	featureSubmitAll
	featureProvided
	featureNonempty
)

// features has each feature with the kernel that brought it and what is lost without.
var features = [...]Feature{
	featureRing:      {Name: "ring", Since: "5.5", Without: "the syscall engine runs the batches"},
	featureRecvSend:  {Name: "RECV and SEND", Since: "5.6", Without: "the syscall engine runs the batches"},
	featureSendmsg:   {Name: "SENDMSG", Since: "5.3", Without: "Conn.Writev is a system call each"},
	featureAccept:    {Name: "ACCEPT without waiting", Since: "6.10", Without: "an accept is a system call each"},
	featureSubmitAll: {Name: "SUBMIT_ALL", Since: "5.18", Without: "an operation that the kernel finds malformed costs its batch a second submission"},
	featureProvided:  {Name: "provided-buffer ring", Since: "5.19", Without: "netring chooses the buffers of small reads itself"},
	featureNonempty:  {Name: "CQE_F_SOCK_NONEMPTY", Since: "5.19", Without: "a read that fills its buffer is followed by one that may find nothing"},
}

// without returns t without the named features, for tests.
func (t capabilities) without(names []string) (capabilities, error) {
	for _, name := range names {
		f := feature(slices.IndexFunc(features[:], func(f Feature) bool { return f.Name == name }))
		switch f {
		case featureSubmitAll:
			t.submitAll = false
		case featureProvided:
			t.provided = false
		case featureNonempty:
			t.nonempty = false
		case featureSendmsg, featureAccept:
			for kind, form := range forms {
				if form.feature == f {
					t.ops &^= 1 << kind
				}
			}
		default:
			return t, fmt.Errorf("reactor: the ring cannot do without %q", name)
		}
	}
	return t, nil
}

// probed is the outcome of a probe. The process keeps a conclusive one.
type probed struct {
	capabilities
	features []Feature
	err      error
}

var (
	probeMu sync.Mutex
	cached  atomic.Pointer[probed]
)

// usable returns what the ring can do here. The error says why it cannot be used at
// all.
func usable() (capabilities, error) {
	p := probe()
	return p.capabilities, p.err
}

// Probe reports what the uring engine uses of io_uring and whether it is there,
// and, as an *Unavailable, why the engine cannot be used at all. It tries everything
// on a throw-away ring, once in a process.
func Probe() ([]Feature, error) {
	p := probe()
	if p.err != nil {
		return p.features, &Unavailable{p.err}
	}
	return p.features, nil
}

func probe() *probed {
	if p := cached.Load(); p != nil {
		return p
	}
	probeMu.Lock()
	defer probeMu.Unlock()
	if p := cached.Load(); p != nil {
		return p
	}
	var p *probed
	_ = withLateMemory(func() error { // whose error is p.err
		p = runProbe()
		return p.err
	})
	if conclusive(p.err) {
		cached.Store(p)
	}
	return p
}

// runProbe tries everything.
func runProbe() *probed {
	p := &probed{features: slices.Clone(features[:])}
	e := p.trialRing()
	if e == nil {
		return p
	}
	t, err := newTrial(e)
	if err != nil {
		p.err = errjoin.Join(err, e.Close())
		return p
	}
	tried := map[feature]error{}
	for kind, form := range forms {
		err, ok := tried[form.feature]
		if !ok {
			err = form.trial(t)
			tried[form.feature] = err
		}
		if p.found(form.feature, err) {
			p.ops |= 1 << kind
		}
	}
	p.err = tried[featureRecvSend]
	p.nonempty = p.found(featureNonempty, t.nonempty())
	p.provided = p.found(featureProvided, t.provided())
	p.err = errjoin.Join(p.err, t.end())
	return p
}

// trialRing returns a ring that runs ops of every kind, or nil if there is none, and
// p.err says why.
func (p *probed) trialRing() *uring {
	every := capabilities{submitAll: true, ops: ^opSet(0)}
	e, err := newURing(Config{Size: 8}, every)
	p.found(featureSubmitAll, err)
	if errors.Is(err, unix.EINVAL) {
		every.submitAll = false
		e, err = newURing(Config{Size: 8}, every)
	}
	p.submitAll = every.submitAll
	if !p.found(featureRing, err) {
		p.err = err
		p.giveReason(err)
		return nil
	}
	return e
}

// found records what a trial of f ended with, and reports whether f is supported.
func (p *probed) found(f feature, err error) bool {
	r := &p.features[f]
	if r.Supported = err == nil; err != nil {
		r.Reason = err.Error()
	}
	return err == nil
}

// giveReason fills in err for features that were not tried.
func (p *probed) giveReason(err error) {
	for i := range p.features {
		if f := &p.features[i]; !f.Supported && f.Reason == "" {
			f.Reason = err.Error()
		}
	}
}
