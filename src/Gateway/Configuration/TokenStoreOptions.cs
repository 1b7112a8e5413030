using System.ComponentModel;
using System.ComponentModel.DataAnnotations;

namespace FenceGateway.Gateway.Configuration;

[Description("Where the highest token seen of each resource is kept. Needs a restart.")]
internal sealed class TokenStoreOptions
{
    [Description("Embedded: a log on the local disk, for one gateway. Memory: forgets everything on a restart; for tests only.")]
    public TokenStoreProvider Provider { get; set; } = TokenStoreProvider.Embedded;

    [Description("Settings of the embedded store.")]
    public EmbeddedStoreOptions Embedded { get; set; } = new();

    [Description("How many resources with writes in flight or in doubt, or seen lately, the gateway keeps at hand.")]
    [Range(16, 16_777_216)]
    public int MaxActiveResources { get; set; } = 65_536;
}

internal enum TokenStoreProvider
{
    /// <summary>A log on the local disk.</summary>
    Embedded,

    /// <summary>Nothing survives the process.</summary>
    Memory,
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
