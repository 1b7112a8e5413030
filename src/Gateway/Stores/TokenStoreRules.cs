using System.Text.RegularExpressions;
using FenceGateway.Gateway.Configuration;

namespace FenceGateway.Gateway.Stores;

/// <summary>
/// What must hold of the token store's settings beyond the bounds of each value. Never repeats what may be a secret.
/// </summary>
internal static partial class TokenStoreRules
{
    private static readonly string Path = ConfigPath.Of(SectionNames.Gateway, SectionNames.TokenStore);

    public static void Check(TokenStoreOptions options, List<ConfigProblem> problems)
    {
        var before = problems.Count;
        CheckPrefix(options.KeyPrefix, Path, problems);
        StoreSectionRules.Check(options, options.Provider, Path, problems);
        if (options is { Provider: TokenStoreProvider.Memory, RequireGrade: { } grade })
        {
            problems.Add(
                new($"{Path}.{nameof(options.RequireGrade)}", $"is {grade}, and the store in memory forgets everything "
                    + "with the process"));
        }

        if (options.Replicate is { } replicate)
        {
            CheckReplicate(options, replicate, problems.Count == before, problems);
        }
    }

    private static void CheckReplicate(
        TokenStoreOptions own, ReplicateOptions replicate, bool ownIsRight, List<ConfigProblem> problems)
    {
        var path = $"{Path}.{nameof(own.Replicate)}";
        if (!own.Provider.IsShared())
        {
            problems.Add(new(path, $"needs a store that gateways share; the Provider here is {own.Provider}"));
        }

        if (replicate.Regions.Count == 0)
        {
            problems.Add(
                new($"{path}.{nameof(replicate.Regions)}", "names no region; leave Replicate out where there is none"));
        }

        var stores = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        if (ownIsRight)
        {
            stores[StoreIdentity.Of(own, own.Provider, own.KeyPrefix)] = "this gateway's own";
        }

        foreach (var (name, region) in replicate.Regions)
        {
            var before = problems.Count;
            var at = ConfigPath.Of(
                SectionNames.Gateway, SectionNames.TokenStore, nameof(own.Replicate), nameof(replicate.Regions), name);
            CheckRegion(region, at, problems);
            if (problems.Count > before || region.Provider is not { } provider)
            {
                continue;
            }

            var identity = StoreIdentity.Of(region, provider, region.KeyPrefix ?? own.KeyPrefix);
            if (!stores.TryAdd(identity, $"that of the region '{name}'"))
            {
                problems.Add(new(at, $"is the same store as {stores[identity]}; a region has one of its own"));
            }
        }
    }

    private static void CheckRegion(RegionOptions region, string path, List<ConfigProblem> problems)
    {
        if (region.KeyPrefix is { } prefix)
        {
            CheckPrefix(prefix, path, problems);
        }

        if (region.Provider is not { } provider)
        {
            return; // Reported by the reader of options.
        }

        if (provider.IsShared())
        {
            StoreSectionRules.Check(region, provider, path, problems);
        }
        else
        {
            problems.Add(new($"{path}.{nameof(region.Provider)}", $"is {provider}, which no other gateway can read"));
        }
    }

    private static void CheckPrefix(string prefix, string path, List<ConfigProblem> problems)
    {
        if (prefix.Length > 0 && !Prefix().IsMatch(prefix))
        {
            problems.Add(
                new($"{path}.{nameof(TokenStoreOptions.KeyPrefix)}", $"is '{SecretText.Shown(prefix)}' where 1 to 32 "
                    + "of a-z, 0-9, _ and - are expected"));
        }
    }

    [GeneratedRegex(@"^[a-z0-9_-]{1,32}\z", RegexOptions.CultureInvariant, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Prefix();
}
