// Package errjoin joins errors without hiding the type of a single error.
package errjoin

import "errors"

// Join is errors.Join, except that it returns a single error unchanged. Wrapped, the
// error would hide its Timeout and Temporary methods from type assertions.
func Join(errs ...error) error {
	var only error
	n := 0
	for _, err := range errs {
		if err != nil {
			only = err
			n++
		}
	}
	if n <= 1 {
		return only
	}
	return errors.Join(errs...)
}
