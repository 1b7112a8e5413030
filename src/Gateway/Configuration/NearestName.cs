namespace FenceGateway.Gateway.Configuration;

/// <summary>Finds the name that was probably meant.</summary>
internal static class NearestName
{
    /// <summary>The nearest of <paramref name="known"/>, or null where none is near.</summary>
    public static string? Of(string name, IEnumerable<string> known)
    {
        // A third of the letters may differ; short names need two in common anyway.
        var (best, bestDistance) = ((string?)null, Math.Max(1, Math.Min(4, name.Length / 3)) + 1);
        string? containing = null;
        foreach (var candidate in known)
        {
            var distance = Distance(name, candidate);
            if (distance < bestDistance)
            {
                (best, bestDistance) = (candidate, distance);
            }

            if (name.Length >= 4 && (candidate.Contains(name, StringComparison.OrdinalIgnoreCase)
                || (candidate.Length >= 4 && name.Contains(candidate, StringComparison.OrdinalIgnoreCase))))
            {
                containing ??= candidate;
            }
        }

        return best ?? containing;
    }

    /// <summary>The end of a message: the nearest name, else all of them.</summary>
    public static string Hint(string name, IReadOnlyCollection<string> known, string kind) =>
        Of(name, known) is { } nearest ? $"did you mean '{nearest}'?"
        : known.Count == 0 ? $"there are no {kind}"
        : $"{kind}: {string.Join(", ", known)}";

    /// <summary>Inserted, lost, replaced and swapped letters, case aside (optimal string alignment).</summary>
    public static int Distance(string left, string right)
    {
        var (a, b) = (left.ToLowerInvariant(), right.ToLowerInvariant());
        var d = new int[a.Length + 1, b.Length + 1];
        for (var i = 0; i <= a.Length; i++)
        {
            for (var j = 0; j <= b.Length; j++)
            {
                if (i == 0 || j == 0)
                {
                    d[i, j] = i + j;
                    continue;
                }

                d[i, j] = Math.Min(
                    Math.Min(d[i - 1, j], d[i, j - 1]) + 1,
                    d[i - 1, j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1));
                if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                {
                    d[i, j] = Math.Min(d[i, j], d[i - 2, j - 2] + 1);
                }
            }
        }

        return d[a.Length, b.Length];
    }
}
