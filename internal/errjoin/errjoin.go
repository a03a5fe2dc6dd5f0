// Package errjoin joins errors without hiding the type of one that is alone.
package errjoin

import "errors"

// Join is errors.Join, except that it returns a single error as it is: wrapped, it
// would lose its Timeout and Temporary methods for whoever asks by interface.
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
