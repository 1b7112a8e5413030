namespace FenceGateway.Protocol.Model.Tests;

/// <summary>
/// Visits every state that can be reached, breadth first, so that the first violation has a shortest trace.
/// </summary>
internal sealed class ModelSearch
{
    // 2 GB. Nothing that is run by default comes near it.
    private const int MostStates = 40_000_000;

    private readonly ModelScope _scope;
    private readonly ModelMemories _memories = new();
    private readonly ModelSteps _steps;
    private readonly List<int> _parents = [];
    private ModelState[] _states = new ModelState[1 << 16];
    private int[] _table = new int[1 << 18];
    private int _count;
    private int _at;
    private (ModelState Next, int Gateway, ModelStep Step, int Token, string What)? _violation;

    public ModelSearch(ModelScope scope)
    {
        _scope = scope;
        _steps = new ModelSteps(scope, _memories);
    }

    /// <summary>States found.</summary>
    public int Count => _count;

    /// <summary>Transitions looked at.</summary>
    public long Transitions { get; private set; }

    public int StoreAnswers => _steps.StoreAnswers;

    /// <summary>Different memories of a gateway.</summary>
    public int Memories => _memories.Count;

    /// <summary>What the first violation breaks; null when there is none.</summary>
    public string? Violation => _violation?.What;

    public ModelSearch Run()
    {
        Add(ModelSteps.Start, parent: -1);
        for (_at = 0; _at < _count && _violation is null; _at++)
        {
            _steps.Visit(_states[_at], Visit);
        }

        return this;
    }

    /// <summary>The steps to the violation, with the gateways called A, B, C throughout.</summary>
    public IReadOnlyList<string> Trace()
    {
        if (_violation is not { } violation)
        {
            return [];
        }

        var path = new List<ModelState> { violation.Next };
        for (var at = _at - 1; at > 0; at = _parents[at])
        {
            path.Add(_states[at]);
        }

        path.Reverse();
        return ModelTrace.Of(_scope, _memories, path, violation.What);
    }

    /// <summary>
    /// Whether from every state the highest token can still be admitted, when no more faults come and everything that
    /// is in flight arrives. Null, or a state from which it cannot.
    /// </summary>
    public ModelState? FindHopeless()
    {
        var hopeful = new bool[_count];
        var recovery = new ModelRecovery(_scope, _memories, _steps);
        var path = new List<int>();
        for (var start = 0; start < _count; start++)
        {
            path.Clear();
            for (var at = start; !hopeful[at];)
            {
                path.Add(at);
                if (recovery.IsAdmitted(_states[at]))
                {
                    break;
                }

                at = recovery.Next(_states[at]) is { } next ? Find(next) : -1;
                if (at < 0 || path.Count > ModelRecovery.MostSteps)
                {
                    return _states[start];
                }
            }

            path.ForEach(at => hopeful[at] = true);
        }

        return null;
    }

    private void Visit(in ModelState next, int gateway, ModelStep step, int token, string? violation)
    {
        Transitions++;
        if (violation is not null)
        {
            _violation ??= (next, gateway, step, token, violation);
            return;
        }

        Add(next, _at);
    }

    private void Add(in ModelState state, int parent)
    {
        var slot = Slot(state);
        if (_table[slot] != 0)
        {
            return;
        }

        if (_count == MostStates)
        {
            throw new InvalidOperationException($"More than {MostStates} states.");
        }

        if (_count == _states.Length)
        {
            Array.Resize(ref _states, _count * 2);
        }

        _states[_count++] = state;
        _parents.Add(parent);
        _table[slot] = _count;
        if (_count > _table.Length / 2)
        {
            Grow();
        }
    }

    private int Find(in ModelState state) => _table[Slot(state)] - 1;

    private int Slot(in ModelState state)
    {
        var mask = _table.Length - 1;
        for (var slot = Hash(state) & mask; ; slot = slot + 1 & mask)
        {
            var index = _table[slot];
            if (index == 0 || _states[index - 1] == state)
            {
                return slot;
            }
        }
    }

    private void Grow()
    {
        _table = new int[_table.Length * 2];
        for (var i = 0; i < _count; i++)
        {
            _table[Slot(_states[i])] = i + 1;
        }
    }

    private static int Hash(in ModelState state)
    {
        var hash = (state.A * 0x9E3779B97F4A7C15) ^ (state.B * 0xC2B2AE3D27D4EB4F) ^ (state.C * 0x165667B19E3779F9);
        return (int)(hash ^ hash >> 29 ^ hash >> 47);
    }
}
