package main

func writeReport(*results) error { return nil }
