using FenceGateway.TokenStore;

namespace FenceGateway.Simulation.Parts;

/// <summary>What a fencing policy says; immutable, and replaced by a reload.</summary>
internal sealed record PolicyRules(AdmissionRules Admission, TimeSpan InDoubtHold)
{
    public static PolicyRules First(Flaw flaw) => Of(flaw, Times.Drain, Times.InDoubtHold);

    /// <summary>Another one after a reload: never with less of a hold than the service needs.</summary>
    public static PolicyRules Next(Flaw flaw, Random random) =>
        Of(flaw, Times.Drain * (0.5 + random.NextDouble()), Times.InDoubtHold * (1 + random.Next(2) * 0.5));

    private static PolicyRules Of(Flaw flaw, TimeSpan drain, TimeSpan hold) =>
        new(new AdmissionRules(Drain: flaw != Flaw.NoDrain, drain, hold), hold);
}
