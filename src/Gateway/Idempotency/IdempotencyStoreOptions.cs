using System.ComponentModel;
using System.ComponentModel.DataAnnotations;

namespace FenceGateway.Gateway.Idempotency;

[Description("Where the answers to requests with an Idempotency-Key are kept: in a folder of this gateway; in memory "
    + "with the token store in memory. Used only when a resilience policy has Idempotency. Needs a restart.")]
internal sealed class IdempotencyStoreOptions
{
    [Description("Folder of the answers; a relative one is relative to the working directory. One process at a time.")]
    [Required]
    public string Path { get; set; } = "data/idempotency";

    [Description("How many keys are remembered. They are dropped only when they expire: a new key beyond this gets "
        + "503.")]
    [Range(1, 10_000_000)]
    public int MaxEntries { get; set; } = 1_000_000;

    [Description("How many MiB the answers may take. A new key beyond this gets 503.")]
    [Range(1, 1_048_576)]
    public int MaxSizeMiB { get; set; } = 1024;
}
