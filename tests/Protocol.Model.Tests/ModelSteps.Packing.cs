namespace FenceGateway.Protocol.Model.Tests;

/// <summary>Here states are packed and unpacked.</summary>
internal sealed partial class ModelSteps
{
    private void Emit(int i, ModelGateway changed, ModelStep step, int token = 0, string? violation = null)
    {
        violation ??= WithoutWitness(_mark);
        Normalize(ref changed, _mark);
        var before = _packed[i];
        _packed[i] = changed.Pack();
        _visit(Store(_packed[0], _packed[1], _packed[2], _mark, _forwarded), i, step, token, violation);
        _packed[i] = before;
    }

    private void EmitAll(byte mark, int i, ModelStep step, int token)
    {
        Span<ulong> packed = stackalloc ulong[3];
        for (var other = 0; other < _next.Length; other++)
        {
            Normalize(ref _next[other], mark);
            packed[other] = _next[other].Pack();
        }

        var violation = mark < _mark ? $"I2: the mark falls from {_mark} to {mark}" : WithoutWitness(mark);
        _visit(Store(packed[0], packed[1], packed[2], mark, _forwarded), i, step, token, violation);
    }

    /// <summary>
    /// A gateway refuses for good by the mark that it knows; looked at when it learns one, and not kept.
    /// </summary>
    private int Put(in ModelMemory memory)
    {
        _learnt = memory.Fence.Mark;
        return memories.Put(
            scope.Flaw == ModelFlaw.AdmitsFromTheCachedMark ? memory : memory with { Fence = memory.Fence.Timeless() });
    }

    private string? WithoutWitness(byte mark)
    {
        var learnt = _learnt;
        _learnt = 0;
        return learnt > mark ? $"I5: {learnt} is taken for the mark, which is {mark}" : null;
    }

    /// <summary>The one form of all states in which the gateways have changed places.</summary>
    public ModelState Sort(in ModelState state)
    {
        Load(state);
        return Store(_packed[0], _packed[1], _packed[2], _mark, _forwarded);
    }

    private ModelState Store(ulong a, ulong b, ulong c, byte mark, byte forwarded)
    {
        if (!sort)
        {
            return new ModelState(a | (ulong)mark << 60 | (ulong)forwarded << 62, b, c);
        }

        // The third of two is unused and stays where it is.
        if (b < a)
        {
            (a, b) = (b, a);
        }

        if (scope.Gateways == 3)
        {
            if (c < b)
            {
                (b, c) = (c, b);
            }

            if (b < a)
            {
                (a, b) = (b, a);
            }
        }

        return new ModelState(a | (ulong)mark << 60 | (ulong)forwarded << 62, b, c);
    }

    private void Load(in ModelState state)
    {
        const ulong Mask = (1UL << 60) - 1;
        (_mark, _forwarded) = ((byte)(state.A >> 60 & 3), (byte)(state.A >> 62));
        (_packed[0], _packed[1], _packed[2]) = (state.A & Mask, state.B, state.C);
        for (var i = 0; i < _gateways.Length; i++)
        {
            _gateways[i] = ModelGateway.Unpack(_packed[i]);
        }
    }
}
