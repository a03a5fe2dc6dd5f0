package reactor

// verb is what an actor does next.
type verb uint8

const (
	toMethod verb = iota // of handoff, up to the next access to what others access, too

	toStartRead
	toStartSend
	toStart
	toEndCall
	toSubmit
	toPushed
	toAwait
	toAwaitLook
	toAwaitLed
	toParked
	toWait
	toWakeUp
	toPutToken
	toLookAsleep
	toReadyGo
	toObey
	toSpawn
	toInterrupt
	toRunInline
	toRunMine
	toRanMine
	toTaken
	toRunBatch
	toPrepareOp
	toEngine
	toComplete

	toLead
	toPrepareRead
	toLook
	toLookToken
	toLookRecalled
	toResetFlag
	toWaitRead
	toWaited
	toLeadBack
	toLookCompany
	toDecide
	toDecideRecall
	toRunAll
	toRunMore
	toRunLoop
	toLoopPass
	toLoopCollect
	toDecided
	toReadUnlock
	toLoopBack
	toLoopWaited
	toStandIn
	toStoodDown
	toRechecks
	toRecheck
	toRecheckWriter
	toUnlock
	toHandle
	toFlushOnEvent
	toFire
	toRing

	toStartWrite
	toFlush
	toRetry
	toUntil
	toAwaitStuck
	toSetDeadline
	toClose
	toAwaitQuiet
	toAbandon
	toAwaitEmpty
	toClosed
	toAwaitLeft
	toFree
	toArrive
	toUrge
	toAnswer
	toMakeRoom
	toMakeLittle
	toPassTime

	numVerbs
)

// target is what the x of a task with a verb is.
type target uint8

const (
	noTarget target = iota
	aSide
	aConn
	anOp
	aPlace // in the actor's batch
)

// action says what a verb means. Each action that is not local is one atomic action of
// the real code: a critical section, or one access to what others access without it.
type action struct {
	do     func(t *turn, x uint8)
	name   string
	target target
	locks  bool // it holds the connection's mutex
}

// An action without a name is local: it does nothing that others could see, or that
// would not commute with all that they do. It belongs to the step before.
var actions = [numVerbs]action{
	toStartRead:     {(*turn).start, "Read starts", aSide, true},
	toStartSend:     {(*turn).startSend, "Write starts", aSide, true},
	toStart:         {(*turn).start, "start: goes on", aSide, true},
	toEndCall:       {(*turn).endCall, "", aSide, false},
	toSubmit:        {(*turn).submit, "", anOp, false},
	toPushed:        {(*turn).pushed, "", anOp, false},
	toAwait:         {(*turn).await, "await: token.take", aSide, false},
	toAwaitLook:     {(*turn).awaitLook, "await: watcher.Load", aSide, false},
	toAwaitLed:      {(*turn).awaitLed, "", aSide, false},
	toParked:        {(*turn).parked, "", aSide, false},
	toWait:          {(*turn).wait, "await: token.wait", aSide, false},
	toWakeUp:        {(*turn).wakeUp, "await: wakes up", aSide, false},
	toPutToken:      {(*turn).putToken, "notify: token.put", aSide, false},
	toLookAsleep:    {(*turn).lookAsleep, "notify: asleep.Load", aSide, false},
	toReadyGo:       {(*turn).readyGo, "", aSide, false},
	toObey:          {(*turn).obey, "", noTarget, false},
	toSpawn:         {(*turn).spawn, "go loop", noTarget, false},
	toInterrupt:     {(*turn).interruptWait, "alarms.interrupt", noTarget, false},
	toRunInline:     {(*turn).runInline, "", noTarget, false},
	toRunMine:       {(*turn).runMine, "", noTarget, false},
	toRanMine:       {(*turn).ranMine, "", noTarget, false},
	toTaken:         {(*turn).taken, "", noTarget, false},
	toRunBatch:      {(*turn).runBatch, "", noTarget, false},
	toPrepareOp:     {(*turn).prepareOp, "run: prepare", aPlace, true},
	toEngine:        {(*turn).engine, "run: the kernel's part", noTarget, false},
	toComplete:      {(*turn).complete, "run: complete", aPlace, true},
	toLead:          {(*turn).lead, "lead: asleep.Store", aSide, false},
	toPrepareRead:   {(*turn).prepareRead, "RawConn.Read: deadline, reset", noTarget, false},
	toLook:          {(*turn).look, "RawConn.Read: collect", noTarget, false},
	toLookToken:     {(*turn).lookToken, "leaderLook: token.has", aSide, false},
	toLookRecalled:  {(*turn).lookRecalled, "leaderLook: recalled.Load", noTarget, false},
	toResetFlag:     {(*turn).resetFlag, "RawConn.Read: reset, too late", noTarget, false},
	toWaitRead:      {(*turn).waitRead, "RawConn.Read: wakes up", noTarget, false},
	toWaited:        {(*turn).waited, "alarms.waited", noTarget, false},
	toLeadBack:      {(*turn).leadBack, "lead: asleep.Store(nil)", noTarget, false},
	toLookCompany:   {(*turn).lookCompany, "lead: parked.Load", noTarget, false},
	toDecide:        {(*turn).decide, "lead: token.take", aSide, false},
	toDecideRecall:  {(*turn).decideRecall, "lead: recalled.Load", noTarget, false},
	toRunAll:        {(*turn).runAll, "", noTarget, false},
	toRunMore:       {(*turn).runMore, "", noTarget, false},
	toRunLoop:       {(*turn).runLoop, "", noTarget, false},
	toLoopPass:      {(*turn).loopPass, "", noTarget, false},
	toLoopCollect:   {(*turn).loopCollect, "loop: collect", noTarget, false},
	toDecided:       {(*turn).decided, "", noTarget, false},
	toReadUnlock:    {(*turn).readUnlock, "RawConn.Read returns", noTarget, false},
	toLoopBack:      {(*turn).loopBack, "", noTarget, false},
	toLoopWaited:    {(*turn).loopWaited, "", noTarget, false},
	toStandIn:       {(*turn).standIn, "", noTarget, false},
	toStoodDown:     {(*turn).stoodDown, "", noTarget, false},
	toRechecks:      {(*turn).rechecks, "standIn: parked.Load", noTarget, false},
	toRecheck:       {(*turn).recheck, "recheck", aConn, true},
	toRecheckWriter: {(*turn).recheckWriter, "", aConn, false},
	toUnlock:        {(*turn).unlock, "", aConn, false},
	toHandle:        {(*turn).handle, "dispatch: event", aConn, true},
	toFlushOnEvent:  {(*turn).flushOnEvent, "event: flushOnEvent", aConn, false},
	toFire:          {(*turn).fire, "fireAlarms", noTarget, false},
	toRing:          {(*turn).ring, "alarm", aSide, true},
	toStartWrite:    {(*turn).startWrite, "buffered Write", aConn, true},
	toFlush:         {(*turn).flush, "", aConn, false},
	toRetry:         {(*turn).retry, "retry", aConn, true},
	toUntil:         {(*turn).until, "until: sent", aConn, true},
	toAwaitStuck:    {(*turn).nothing, "finds the socket full", aConn, false},
	toSetDeadline:   {(*turn).setDeadline, "SetDeadline", aSide, true},
	toClose:         {(*turn).closeConn, "Close", aConn, true},
	toAwaitQuiet:    {(*turn).nothing, "Close: awaitQuiet", aConn, false},
	toAbandon:       {(*turn).abandon, "abandon", aConn, true},
	toAwaitEmpty:    {(*turn).nothing, "awaitEmpty", noTarget, false},
	toClosed:        {(*turn).closed, "", noTarget, false},
	toAwaitLeft:     {(*turn).awaitLeft, "left.wait", noTarget, false},
	toFree:          {(*turn).free, "free", noTarget, false},
	toArrive:        {(*turn).arrive, "data arrive", aConn, false},
	toUrge:          {(*turn).urge, "an event without data", aConn, false},
	toAnswer:        {(*turn).answer, "answers", aConn, false},
	toMakeRoom:      {(*turn).makeRoom, "makes room", aConn, false},
	toMakeLittle:    {(*turn).makeLittle, "makes a little room", aConn, false},
	toPassTime:      {(*turn).passTime, "the deadlines pass", noTarget, false},
}

// can reports whether task k, which is on top of t's stack, is not blocked.
func (t *turn) can(k task) bool {
	if actions[k.do].locks && t.conn(t.connOf(k)).lock != 0 {
		return false
	}
	switch k.do {
	case toSpawn:
		_, l := t.slot()
		return l != nil
	case toPrepareRead:
		return t.w.reader == 0
	case toWaitRead:
		return t.w.flag || t.w.overdue()
	case toWakeUp:
		return t.w.side(k.x).token == tokenReady
	case toAwaitQuiet:
		return t.conn(k.x).holds == 0 || t.conn(k.x).co.state == callWaiting
	case toAwaitStuck:
		return t.conn(k.x).co.state == callWaiting
	case toAwaitEmpty:
		for i := range t.w.conns {
			if t.w.conns[i].holds > 0 {
				return false
			}
		}
	case toAwaitLeft:
		return t.w.h.left
	case toAnswer:
		return t.conn(k.x).sent > t.conn(k.x).answered
	}
	return true
}

// connOf returns the connection that k is about.
func (t *turn) connOf(k task) uint8 {
	switch actions[k.do].target {
	case aSide:
		return k.x / 2
	case anOp:
		return opID(k.x).conn()
	case aPlace:
		return t.a.batch[k.x].conn()
	}
	return k.x
}

// describe names k for a schedule.
func (t *turn) describe(k task) string {
	name := actions[k.do].name
	switch actions[k.do].target {
	case aSide:
		return name + " of " + sideName(k.x)
	case aConn:
		return name + " of " + string('A'+rune(k.x))
	case anOp:
		return name + " of " + opID(k.x).String()
	case aPlace:
		return name + " of " + t.a.batch[k.x].String()
	}
	return name
}
