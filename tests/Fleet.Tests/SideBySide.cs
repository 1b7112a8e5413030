// Mostly these tests wait, for sessions to end and servers to start: all stores side by side.
[assembly: Xunit.v3.Parallelization(MaxThreads = 8)]
