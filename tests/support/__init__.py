"""What the functional tests stand on: private real programs, fakes, and a check that nothing is left behind."""
