using FenceGateway.Fencing;

namespace FenceGateway.Protocol.Model.Tests;

internal enum SessionStatus : byte
{
    None,
    Alive,
    Ended,

    /// <summary>Ended, and InDoubtHold has passed since.</summary>
    HoldOver,
}

internal enum WriteStatus : byte
{
    None,
    InFlight,

    /// <summary>Its connection is gone, the service may still apply it.</summary>
    InDoubt,
}

internal enum StepKind : byte
{
    None,
    Enter,
    Withdraw,
}

/// <summary>A session as the store has it, and its writes at the service. Registered = 0: it is not.</summary>
internal record struct SessionView(SessionStatus Status, byte Registered, byte Sequence, byte Writes)
{
    public readonly WriteStatus this[int token] => (WriteStatus)(Writes >> (2 * token - 2) & 3);

    public readonly bool HasWrites => Writes != 0;

    public void Set(int token, WriteStatus status) =>
        Writes = (byte)(Writes & ~(3 << (2 * token - 2)) | (int)status << (2 * token - 2));
}

/// <summary>A request that its gateway gave up on, and that the store may still carry out.</summary>
internal readonly record struct LateStep(StepKind Kind, bool OfOldSession, byte Token, byte Oldest, byte Sequence);

/// <summary>What a gateway has in its memory, and the step that it waits for.</summary>
/// <param name="Fence">The product's own state machine.</param>
/// <param name="Step">What it asked of the store.</param>
/// <param name="Asked">The Enter that it asked for.</param>
/// <param name="Admitted">"Admitted" is in flight here. Any other answer is there at once, or lost: meanwhile nothing
/// else could happen here that may not happen afterwards.</param>
internal readonly record struct ModelMemory(
    GatewayFence Fence, StepKind Step = StepKind.None, FenceEnter Asked = default, bool Admitted = false);

/// <summary>
/// One gateway's part of a state: its memory, its two latest sessions and the requests that it gave up on. A sequence
/// is known by its rank: <see cref="Latest"/> is that of the gateway's latest step, those before it follow downwards.
/// </summary>
internal record struct ModelGateway
{
    public const byte Latest = 3;

    /// <summary>Which of the <see cref="ModelMemories"/>.</summary>
    public int Memory;

    /// <summary>The session it admits in; none after a loss.</summary>
    public SessionView Current;

    /// <summary>The one before, as long as anything is left of it.</summary>
    public SessionView Old;

    /// <summary>The gateway has crashed since, and knows nothing of the old session.</summary>
    public bool Forgotten;
    public LateStep Late0;
    public LateStep Late1;

    public readonly bool HasSession => Current.Status != SessionStatus.None;

    /// <summary>Its writes at the service, of both sessions, as it knows them.</summary>
    public readonly int KnownWrites => Current.Writes | (Forgotten ? 0 : Old.Writes << 6);

    /// <summary>One step more has been numbered: what was the latest is not any more.</summary>
    public void NextSequence() => Rank(ref Current, old: false, top: Latest - 1);

    public bool TryAddLate(LateStep step, int most)
    {
        if (most > 0 && Late0.Kind == StepKind.None)
        {
            Late0 = step;
            return true;
        }

        if (most > 1 && Late1.Kind == StepKind.None)
        {
            Late1 = step;
            return true;
        }

        return false;
    }

    /// <summary>One form for all that behaves alike.</summary>
    public void Normalize()
    {
        var lateOld = IsOld(Late0) || IsOld(Late1);
        if (Old.Status == SessionStatus.Alive && !lateOld)
        {
            // It can do nothing more: when it expires is all the same, only its hold counts.
            Old.Status = SessionStatus.Ended;
        }

        if (Old is { Registered: 0, HasWrites: false } && !lateOld)
        {
            (Old, Forgotten) = (default, false);
        }

        if (Current.Registered == 0)
        {
            Current.Sequence = 0;
        }

        if (Old.Registered == 0)
        {
            Old.Sequence = 0;
        }

        Rank(ref Current, old: false, top: Latest);
        Rank(ref Old, old: true, top: Latest);
        if (Pack(Late0) < Pack(Late1))
        {
            (Late0, Late1) = (Late1, Late0);
        }
    }

    public readonly ulong Pack()
    {
        var bits = new BitWriter();
        bits.Write(Memory, ModelMemories.Bits);
        bits.Write(Pack(Current), 12);
        bits.Write(Pack(Old), 12);
        bits.Write(Forgotten ? 1 : 0, 1);
        bits.Write(Pack(Late0), 9);
        bits.Write(Pack(Late1), 9);
        return bits.Value;
    }

    public static ModelGateway Unpack(ulong value)
    {
        var bits = new BitReader(value);
        return new ModelGateway
        {
            Memory = bits.ReadWide(ModelMemories.Bits),
            Current = UnpackSession(ref bits),
            Old = UnpackSession(ref bits),
            Forgotten = bits.Read(1) != 0,
            Late0 = UnpackLate(ref bits),
            Late1 = UnpackLate(ref bits),
        };
    }

    private static int Pack(SessionView session) =>
        (int)session.Status | session.Registered << 2 | session.Sequence << 4 | session.Writes << 6;

    private static SessionView UnpackSession(ref BitReader bits) =>
        new((SessionStatus)bits.Read(2), bits.Read(2), bits.Read(2), bits.Read(6));

    private static int Pack(LateStep late) =>
        (int)late.Kind | (late.OfOldSession ? 4 : 0) | late.Token << 3 | late.Oldest << 5 | late.Sequence << 7;

    private static LateStep UnpackLate(ref BitReader bits) =>
        new((StepKind)bits.Read(2), bits.Read(1) != 0, bits.Read(2), bits.Read(2), bits.Read(2));

    private static bool IsOld(LateStep late) => late.Kind != StepKind.None && late.OfOldSession;

    /// <summary>
    /// Gives a session's sequences the ranks from <paramref name="top"/> downwards; one that is the gateway's latest
    /// keeps its own as long as it is.
    /// </summary>
    private void Rank(ref SessionView session, bool old, int top)
    {
        // Only their order counts; a set of at most four bits, sorted.
        var used = 0;
        var late0 = Late0.Kind != StepKind.None && Late0.OfOldSession == old;
        var late1 = Late1.Kind != StepKind.None && Late1.OfOldSession == old;
        used |= session.Registered != 0 ? 1 << session.Sequence : 0;
        used |= late0 ? 1 << Late0.Sequence : 0;
        used |= late1 ? 1 << Late1.Sequence : 0;
        if (used == 0)
        {
            return;
        }

        var next = top;
        Span<byte> ranks = stackalloc byte[4];
        for (int rank = Latest; rank >= 0; rank--)
        {
            if ((used & 1 << rank) != 0)
            {
                // In the session that goes on, the highest rank is the gateway's latest step's own.
                next = !old && rank < Latest ? Math.Min(next, Latest - 1) : next;
                ranks[rank] = (byte)next--;
            }
        }

        session.Sequence = session.Registered != 0 ? ranks[session.Sequence] : (byte)0;
        Late0 = late0 ? Late0 with { Sequence = ranks[Late0.Sequence] } : Late0;
        Late1 = late1 ? Late1 with { Sequence = ranks[Late1.Sequence] } : Late1;
    }
}

internal ref struct BitWriter
{
    private int _at;

    public ulong Value { get; private set; }

    public void Write(int value, int bits)
    {
        Value |= (ulong)(uint)value << _at;
        _at += bits;
    }
}

internal ref struct BitReader(ulong value)
{
    private ulong _rest = value;

    public byte Read(int bits) => (byte)ReadWide(bits);

    public int ReadWide(int bits)
    {
        var read = (int)(_rest & (1UL << bits) - 1);
        _rest >>= bits;
        return read;
    }
}
