package load

import (
	"encoding/json"
	"errors"
	"io"
	"runtime"
)

// Serve is a load generator's process: it reads a job from each line of in, has do
// run it on always the same thread, and writes the result as a line to out. It ends
// with in, or with an error of do, which is for what concerns more than this job.
func Serve[J, R any](in *json.Decoder, out io.Writer, do func(J) (R, error)) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	enc := json.NewEncoder(out)
	for {
		var job J
		if err := in.Decode(&job); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		res, err := do(job)
		if err != nil {
			return err
		}
		if err := enc.Encode(res); err != nil {
			return err
		}
	}
}
