using FenceGateway.Gateway.Configuration;
using FenceGateway.TokenStore;

namespace FenceGateway.Gateway.Fencing;

/// <summary>
/// Refuses a reload that gives resources other keys while a write under an old key is in flight or in doubt: a newer
/// token would not wait for it. Otherwise it warns, since the marks of the old keys do not count for the new ones.
/// </summary>
internal sealed class TemplateGuard(FenceTable table, ILogger<TemplateGuard> logger)
{
    private const int MostNamed = 3;

    /// <summary>
    /// What stands against putting <paramref name="next"/> in the place of <paramref name="current"/>.
    /// </summary>
    public IReadOnlyList<ConfigProblem> Check(FencedRoutes current, FencedRoutes next)
    {
        var changes = TemplateChange.Between(current, next);
        if (changes.Count == 0)
        {
            return [];
        }

        var active = table.ListActive();
        ConfigProblem[] problems =
        [
            .. from change in changes
               let keys = active.Where(change.MayHaveMade).Select(key => key.Value).ToArray()
               where keys.Length > 0
               select new ConfigProblem(
                   change.Path,
                   $"gives resources other keys, {change.To} instead of {change.From}, while writes are in flight or "
                   + $"in doubt under old ones ({Named(keys)}), which newer "
                   + "tokens would not wait for; stop the clients, wait until nothing is in flight or in doubt, and "
                   + "reload again"),
        ];
        if (problems.Length == 0)
        {
            foreach (var change in changes)
            {
                logger.TemplateChanged(change.Path, change.From, change.To);
            }
        }

        return problems;
    }

    private static string Named(string[] keys) =>
        string.Join(", ", keys.Take(MostNamed))
        + (keys.Length > MostNamed ? $" and {keys.Length - MostNamed} more" : "");
}
