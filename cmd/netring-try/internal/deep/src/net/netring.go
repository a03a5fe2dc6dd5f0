//go:build netring_try_overlay

package net

// The hook is part of every program that has package net.
import _ "netringtry/hook"
