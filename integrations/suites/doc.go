// Command suites runs the tests of other projects on package net and, through netring-try, on
// netring. It keeps the results in results.json and writes docs/compatibility.md from them.
//
// A run of some suites replaces only their results. The exit status is 0 if each failure that
// package net does not have is in the table of known differences.
package main
