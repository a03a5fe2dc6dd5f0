// Package migrating has the code of docs/migrating.md. So the page's code compiles, and
// the tests run it.
package migrating
