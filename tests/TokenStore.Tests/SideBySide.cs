// Much of this waits for servers: two classes for each core of a small machine.
[assembly: CollectionBehavior(MaxParallelThreads = 4)]
