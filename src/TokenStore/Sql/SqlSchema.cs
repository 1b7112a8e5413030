namespace FenceGateway.TokenStore.Sql;

/// <summary>What the migrations of the databases have in common.</summary>
internal static class SqlSchema
{
    /// <summary>The script that makes a version out of the one before.</summary>
    public static string Script(string name, int version, string prefix)
    {
        using var stream = typeof(SqlSchema).Assembly.GetManifestResourceStream($"{name}.{version}.sql")!;
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd().Replace("{prefix}", prefix, StringComparison.Ordinal);
    }

    /// <summary>The tables are newer than the code.</summary>
    public static TokenStoreUnavailableException Newer(string prefix, string location, int version, int known) =>
        TokenStoreUnavailableException.NothingTaken(
            $"The tables {prefix}_* in {location} have version {version}, this gateway knows versions up to {known}: "
            + "run a gateway as new as the newest of the fleet.");
}
