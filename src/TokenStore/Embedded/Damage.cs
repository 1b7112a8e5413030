namespace FenceGateway.TokenStore.Embedded;

/// <summary>What the store says when its files cannot be what it wrote.</summary>
internal static class Damage
{
    private const string Advice =
        "The store refuses to start, because marks that it promised may be missing. Restore the folder from a backup; if there "
        + "is none, keep a copy of the folder, stop all lock holders, begin with an empty folder and set the marks from your lock service.";

    public static TokenStoreUnavailableException At(string path, long offset, string what) =>
        new($"The token store is damaged: {path}, offset {offset}: {what}. {Advice}");

    public static TokenStoreUnavailableException Missing(string path, string why) =>
        new($"The token store is damaged: {path} is missing ({why}). {Advice}");
}
