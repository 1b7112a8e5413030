// Mostly these tests wait, for sessions to end and servers to start: one class for each store side by side.
[assembly: CollectionBehavior(MaxParallelThreads = 5)]
