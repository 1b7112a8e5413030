namespace FenceGateway.Simulation;

/// <summary>What is broken in the build that a run is made with, to see that it is found.</summary>
internal enum Flaw
{
    None,

    /// <summary>A newer token is admitted while older writes are in flight (I1, I3; R4).</summary>
    NoDrain,

    /// <summary>A write of which nobody knows the end is taken for ended (I1; R5).</summary>
    DoubtIsAnEnd,

    /// <summary>A write is looked at once, when it is admitted (I1; R16).</summary>
    LooksOnce,

    /// <summary>The kernel tries for ever to deliver what it was handed (I1; R16).</summary>
    KernelNeverForgets,

    /// <summary>The gateway takes its session for longer than the store does (I1, I3).</summary>
    SessionTooLong,

    /// <summary>A store that answers before what it answers is durable, and crashes (I2, I9).</summary>
    AnswersTooEarly,

    /// <summary>While the store is away everything is admitted (I4).</summary>
    OpenWithoutStore,

    /// <summary>409 by a mark that was only told of (I5; R19).</summary>
    NoticeProves,

    /// <summary>What may have been sent is sent again without another look (I6).</summary>
    SendsAgain,

    /// <summary>A registration is never taken back while its session lives (I7).</summary>
    NeverWithdraws,

    /// <summary>One fence for all resources (I8).</summary>
    OneFenceForAll,

    /// <summary>The store looks at the mark first and raises it later (I9; R6).</summary>
    TwoSteps,

    /// <summary>A node of a quorum that has lost its data counts at once (I5).</summary>
    NodeForgets,
}
