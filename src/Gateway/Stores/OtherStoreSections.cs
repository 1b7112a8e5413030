using FenceGateway.Gateway.Configuration;
using Microsoft.Extensions.Configuration.EnvironmentVariables;

namespace FenceGateway.Gateway.Stores;

/// <summary>
/// Refuses the section of a provider that is not the chosen one. Whoever writes <c>Redis</c> and forgets
/// <c>Provider</c> means Redis, and would get a store of this gateway alone: two such gateways let an old holder write
/// at the other one.
/// </summary>
internal static class OtherStoreSections
{
    public static void Check(IConfiguration configuration, TokenStoreOptions options, List<ConfigProblem> problems)
    {
        var store = configuration.GetSection($"{SectionNames.Gateway}:{SectionNames.TokenStore}");
        CheckSections(configuration, store, options.Provider, problems);
        var regions = store.GetSection($"{nameof(options.Replicate)}:{nameof(ReplicateOptions.Regions)}");
        foreach (var (name, region) in options.Replicate?.Regions ?? [])
        {
            if (region.Provider is { } provider)
            {
                CheckSections(configuration, regions.GetSection(name), provider, problems);
            }
        }
    }

    private static void CheckSections(
        IConfiguration configuration,
        IConfigurationSection store,
        TokenStoreProvider chosen,
        List<ConfigProblem> problems)
    {
        var given = store[nameof(TokenStoreOptions.Provider)];
        if (given is not null && OptionsText.EnumValue(typeof(TokenStoreProvider), given) is null)
        {
            return; // Reported by the reader of options, and there is no telling which sections are others'.
        }

        var why = given is null ? $"no Provider is given, which means {chosen}" : $"the Provider is {chosen}";
        foreach (var section in store.GetChildren().Where(static s => s.Value is not null || s.GetChildren().Any()))
        {
            if (OptionsText.EnumValue(typeof(TokenStoreProvider), section.Key) is TokenStoreProvider provider
                && provider != chosen && provider != TokenStoreProvider.Memory
                && !IsTheImages(configuration, section, provider))
            {
                problems.Add(new(
                    ConfigPath.Of(section.Path),
                    $"would not be used: {why}; set \"Provider\": \"{provider}\", or remove this section"));
            }
        }
    }

    /// <summary>
    /// The container image names the folder of the embedded store in its environment, whatever store the file chooses.
    /// That store has to be named there, so nobody can have meant the embedded one.
    /// </summary>
    private static bool IsTheImages(
        IConfiguration configuration, IConfigurationSection section, TokenStoreProvider provider) =>
        provider == TokenStoreProvider.Embedded
        && configuration is IConfigurationRoot root
        && root.Providers.Where(p => p.TryGet(section.Path, out _) || p.GetChildKeys([], section.Path).Any())
            .All(static p => p is EnvironmentVariablesConfigurationProvider);
}
