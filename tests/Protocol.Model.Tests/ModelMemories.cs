using FenceGateway.Fencing;

namespace FenceGateway.Protocol.Model.Tests;

/// <summary>
/// Every memory that a gateway was found with, each known by its number: there are few, and states are packed small.
/// </summary>
internal sealed class ModelMemories
{
    /// <summary>So many bits has a number.</summary>
    public const int Bits = 17;

    /// <summary>That of a gateway that knows nothing.</summary>
    public const int Empty = 0;

    // A moment at which no write in doubt is due: when it is over, the model says so.
    public const long Now = 0;
    private const long Due = 1;

    private readonly Dictionary<ModelMemory, int> _numbers = new() { [default] = Empty };
    private readonly List<ModelMemory> _memories = [default];
    private readonly ActiveWrites?[] _writes = new ActiveWrites?[1 << 12];

    /// <summary>Memories found.</summary>
    public int Count => _memories.Count;

    public static ActiveWrites NoWrites { get; } = new();

    public ModelMemory this[int number] => _memories[number];

    public int Put(in ModelMemory memory)
    {
        if (_numbers.TryGetValue(memory, out var number))
        {
            return number;
        }

        if (_memories.Count == 1 << Bits)
        {
            throw new InvalidOperationException($"More than {1 << Bits} memories.");
        }

        _memories.Add(memory);
        _numbers.Add(memory, _memories.Count - 1);
        return _memories.Count - 1;
    }

    /// <summary>The product's own counts of what a gateway has in flight and in doubt.</summary>
    public ActiveWrites Writes(in ModelGateway gateway) => _writes[gateway.KnownWrites] ??= Made(gateway);

    private static ActiveWrites Made(in ModelGateway gateway)
    {
        var writes = new ActiveWrites();
        for (var token = 1; token <= 3; token++)
        {
            Add(writes, token, gateway.Current[token]);
            Add(writes, token, gateway.Forgotten ? WriteStatus.None : gateway.Old[token]);
        }

        return writes;
    }

    private static void Add(ActiveWrites writes, int token, WriteStatus status)
    {
        switch (status)
        {
            case WriteStatus.InFlight:
                writes.Begin(token);
                break;
            case WriteStatus.InDoubt:
                writes.Hold(token, Due);
                break;
        }
    }
}
