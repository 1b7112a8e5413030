using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using FenceGateway.TokenStore;

namespace FenceGateway.Gateway.Stores;

[Description("Where the highest token seen of each resource is kept. Needs a restart.")]
internal sealed class TokenStoreOptions : StoreSections
{
    [Description("Embedded: a log on the local disk, for one gateway. Redis, Quorum (independent Redis masters), "
        + "Postgres, MySql, ZooKeeper, Etcd: shared by a fleet. Memory: forgets everything on a restart; for tests "
        + "only.")]
    public TokenStoreProvider Provider { get; set; } = TokenStoreProvider.Embedded;

    [Description("Settings of the embedded store.")]
    public EmbeddedStoreOptions Embedded { get; set; } = new();

    [Description("How long this gateway's session lives in a shared store without a heartbeat. A gateway that is gone "
        + "holds newer tokens back for so long, and for InDoubtHold; a store that is away for so long stops "
        + "admission.")]
    [Range(typeof(TimeSpan), "00:00:00.500", "00:01:00")]
    public TimeSpan SessionTtl { get; set; } = TimeSpan.FromSeconds(5);

    [Description("How long a registration in a shared store is kept while no write uses it, at least; at most twice as "
        + "long.")]
    [Range(typeof(TimeSpan), "00:00:01", "00:10:00")]
    public TimeSpan RegistrationIdle { get; set; } = TimeSpan.FromSeconds(10);

    [Description("What the store has to promise at least; with less the gateway does not start. null: anything, with a "
        + "warning.")]
    public RequiredGrade? RequireGrade { get; set; }

    [Description("What the names of keys or tables in a shared store begin with, or the node in ZooKeeper; gateways "
        + "with the same one fence as one.")]
    [Required]
    public string KeyPrefix { get; set; } = "fg";

    [Description("Stores of other regions, whose marks are taken over from time to time (weaker than one store). null: "
        + "none.")]
    public ReplicateOptions? Replicate { get; set; }

    [Description("How many resources with writes in flight or in doubt, or seen lately, the gateway keeps at hand.")]
    [Range(16, 16_777_216)]
    public int MaxActiveResources { get; set; } = 65_536;
}

internal enum TokenStoreProvider
{
    /// <summary>Nothing survives the process.</summary>
    Memory,

    /// <summary>A log on the local disk.</summary>
    Embedded,

    /// <summary>One Redis, with its replicas or as a cluster.</summary>
    Redis,

    /// <summary>A majority of independent Redis masters.</summary>
    Quorum,

    /// <summary>PostgreSQL.</summary>
    Postgres,

    /// <summary>MySQL or MariaDB.</summary>
    MySql,

    /// <summary>ZooKeeper.</summary>
    ZooKeeper,

    /// <summary>etcd.</summary>
    Etcd,
}

/// <summary>The safety grades that can be asked for.</summary>
internal enum RequiredGrade
{
    BestEffort,
    Single,
    Strict,
}

internal static class TokenStoreNames
{
    /// <summary>
    /// Whether several gateways can have one such store: it is a server, which may be away for a while.
    /// </summary>
    public static bool IsShared(this TokenStoreProvider provider) =>
        provider is not (TokenStoreProvider.Memory or TokenStoreProvider.Embedded);

    public static SafetyGrade Grade(this RequiredGrade grade) => Enum.Parse<SafetyGrade>(grade.ToString());
}

internal sealed class EmbeddedStoreOptions
{
    [Description("Folder of the log; a relative one is relative to the working directory. One process at a time.")]
    [Required]
    public string Path { get; set; } = "data/tokens";

    [Description("How many resources may have a mark. Marks are never dropped: a new resource beyond this gets 503.")]
    [Range(1, 500_000_000)]
    public int MaxResources { get; set; } = 10_000_000;
}

[Description("The marks of other regions are taken over by maximum: a stale holder is stopped here once it has been "
    + "told, not before. What moves between regions at will wants one store for all of them.")]
internal sealed class ReplicateOptions
{
    [Description("How long after one look at a region the next one follows.")]
    [Range(typeof(TimeSpan), "00:00:00.100", "00:10:00")]
    public TimeSpan Interval { get; set; } = TimeSpan.FromSeconds(1);

    [Description("The other regions' stores, by name.")]
    public Dictionary<string, RegionOptions> Regions { get; set; } = new(StringComparer.OrdinalIgnoreCase);
}

[Description("The store of another region, which is only read.")]
internal sealed class RegionOptions : StoreSections
{
    [Description("What the region's gateways have as their Provider; one that can be shared.")]
    [Required]
    public TokenStoreProvider? Provider { get; set; }

    [Description("What the region's gateways have as their KeyPrefix. null: the same as this gateway.")]
    public string? KeyPrefix { get; set; }
}
