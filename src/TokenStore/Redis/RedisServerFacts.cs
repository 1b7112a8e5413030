namespace FenceGateway.TokenStore.Redis;

/// <summary>What a Redis says of itself, as far as its user may ask.</summary>
/// <param name="Role"><c>master</c> or <c>slave</c>; null when INFO is forbidden.</param>
/// <param name="Replicas">How many replicas are connected.</param>
/// <param name="Settings">Of CONFIG GET; null when that is forbidden.</param>
/// <param name="ReadsItsLog">Whether the user <c>default</c>, as whom Redis carries its log out again after a restart,
/// may do what the scripts did; null when ACL DRYRUN is forbidden.</param>
internal sealed record RedisServerFacts(
    string? Role, int Replicas, IReadOnlyDictionary<string, string>? Settings, bool? ReadsItsLog)
{
    /// <summary>Whether it was a replica since it was started.</summary>
    public bool HasTakenOver { get; init; }

    public bool IsCluster { get; init; }

    /// <summary>The version, of a Garnet; null of a Redis.</summary>
    public string? Garnet { get; init; }

    /// <summary>Whether Sentinels choose the master.</summary>
    public bool IsBehindSentinels { get; init; }

    /// <summary>How many servers the configuration names.</summary>
    public int Servers { get; init; } = 1;

    /// <summary>What the server promises, and why not more: a sentence each.</summary>
    public (SafetyGrade Grade, IReadOnlyList<string> Reasons) Grade()
    {
        List<string> reasons = [];
        if (Garnet is not null)
        {
            reasons.Add($"It is Garnet {Garnet}, which does not tell whether it keeps a log, and flushes none: with "
                + "--aof --aof-commit-wait --recover answered marks survive the process, and not certainly the "
                + "machine.");
        }
        else if (Settings is null)
        {
            reasons.Add(
                "CONFIG GET is forbidden, so nobody knows whether an answered mark is on disk: give the user "
                    + "+config|get.");
        }
        else
        {
            Want(reasons, "appendonly", "yes", "marks answered since the last snapshot are lost with the process");
            Want(reasons, "appendfsync", "always", "marks answered within the last second or so can be lost with the "
                + "machine");
            Want(reasons, "no-appendfsync-on-rewrite", "no", "marks answered while the log is rewritten can be lost");
            Want(reasons, "maxmemory-policy", "noeviction", "marks may be thrown away when memory is short");
        }

        if (Role is null)
        {
            reasons.Add("INFO is forbidden, so nobody knows of replicas: give the user +info.");
        }

        if (Successor() is { } successor)
        {
            reasons.Add(
                $"{successor} that takes over may lack the latest marks: use a Redis without replicas, or Provider "
                    + "Quorum over independent ones.");
        }

        if (Garnet is null && ReadsItsLog is null)
        {
            reasons.Add("ACL DRYRUN is forbidden, so nobody knows whether Redis can read its log again, which it does "
                + "as the user default: give the user +acl|dryrun.");
        }
        else if (ReadsItsLog is false)
        {
            reasons.Add("Redis reads its log as the user default, who lacks rights of this one: after a restart every "
                + "step is missing. Give default these rights, also when nobody may sign in as default: user default "
                + "off ~* &* +@all.");
        }

        return (reasons.Count == 0 ? SafetyGrade.Single : SafetyGrade.BestEffort, reasons);
    }

    /// <summary>Who may take its place; one that just has shows no replicas.</summary>
    private string? Successor() =>
        IsBehindSentinels ? "Its Sentinels choose the master among replicas, which follow asynchronously, and one"
        : Replicas > 0 ? $"{Replicas} replica(s) follow asynchronously, and one"
        : HasTakenOver ? "It was a replica before, so others may follow, asynchronously as well, and one"
        : IsCluster ? "It is a node of a cluster, where replicas follow asynchronously, and one"
        : Servers > 1 ? $"The configuration names {Servers} servers, of which those that are replicas follow "
            + "asynchronously, and one"
        : null;

    private void Want(List<string> reasons, string setting, string value, string otherwise)
    {
        if (!Settings!.TryGetValue(setting, out var set))
        {
            reasons.Add($"{setting} could not be read; unless it is {value}, {otherwise}: let CONFIG GET tell it.");
        }
        else if (set != value)
        {
            reasons.Add($"{setting} is {set}, so {otherwise}: set it to {value}.");
        }
    }
}
