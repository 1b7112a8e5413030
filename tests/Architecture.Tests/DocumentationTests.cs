using System.Text.RegularExpressions;
using FenceGateway.Gateway.Problems;

namespace FenceGateway.Architecture.Tests;

/// <summary>Code and documents say the same.</summary>
public sealed partial class DocumentationTests
{
    public static TheoryData<string> Documents =>
        [.. Repository.Files().Where(path => path.EndsWith(".md", StringComparison.Ordinal))];

    public static TheoryData<string> ProblemNames =>
        [.. Enum.GetValues<ProblemType>().Select(type => Problem.Of(type).Name).OfType<string>()];

    public static TheoryData<string> TelemetryNames =>
        [.. Repository.Files("src")
            .Where(path => path.EndsWith(".cs", StringComparison.Ordinal))
            .SelectMany(path => TelemetryName().Matches(Repository.Read(path)))
            .Select(match => match.Groups["name"].Value)
            .Where(name => !name.EndsWith(".dll", StringComparison.Ordinal))
            .Distinct(StringComparer.Ordinal)];

    [Fact]
    public void Readme_OfTheRepository_IsThere() => Repository.Has("README.md").ShouldBeTrue("README.md is missing.");

    [Theory]
    [MemberData(nameof(Documents))]
    public void Links_InADocument_LeadSomewhere(string document)
    {
        var folder = Path.GetDirectoryName(Path.Combine(Repository.Root, document))!;
        var text = Code().Replace(Repository.Read(document), "");
        Link().Matches(text)
            .Select(match => Uri.UnescapeDataString(match.Groups["target"].Value.Split('#')[0]))
            .Where(target => target.Length > 0 && !Scheme().IsMatch(target))
            .Where(target => !Path.Exists(Path.Combine(folder, target)))
            .ShouldBeEmpty();
    }

    public static TheoryData<string> RulesAndInvariants =>
        [.. RuleRow().Matches(Repository.Read("docs/protocol.md")).Select(match => match.Groups["rule"].Value)];

    [Theory]
    [MemberData(nameof(RulesAndInvariants))]
    public void RulesAndInvariants_OfTheProtocol_NameTestsThatExist(string rule)
    {
        var rows = Repository.Read("docs/testing.md").Split('\n')
            .Where(line => Regex.IsMatch(line, $@"^\| [^|]*\b{rule}\b[^|]* \|")).ToList();
        rows.ShouldNotBeEmpty($"docs/testing.md does not say which test holds {rule}.");
        var tests = rows.SelectMany(row => TestName().Matches(row)).ToList();
        (tests.Count > 0 || rows[0].Contains("none yet", StringComparison.Ordinal)).ShouldBeTrue();
        foreach (var test in tests)
        {
            var (type, method) = (test.Groups["type"].Value, test.Groups["method"].Value);
            var files = Repository.Files("tests").Where(path => path.EndsWith($"/{type}.cs", StringComparison.Ordinal))
                .ToList();
            files.ShouldHaveSingleItem($"the file of {type}");
            Repository.Read(files[0]).ShouldContain($" {method}(", Case.Sensitive, $"{type} has no {method}");
        }
    }

    [Theory]
    [MemberData(nameof(ProblemNames))]
    public void ProblemTypes_OfTheGateway_AreInProblemsMd(string name) => Mentions("docs/problems.md", name);

    [Theory]
    [MemberData(nameof(TelemetryNames))]
    public void Instruments_AndTheirTags_AreInOperationsMd(string name) => Mentions("docs/operations.md", name);

    private static void Mentions(string document, string name)
    {
        Repository.Has(document).ShouldBeTrue($"{document} is missing.");
        Regex.IsMatch(Repository.Read(document), $@"(?<![\w.-]){Regex.Escape(name)}(?![\w-]|\.\w)")
            .ShouldBeTrue($"{document} does not explain {name}.");
    }

    [GeneratedRegex("\"(?<name>fencegateway\\.[a-z_.]+)\"", RegexOptions.CultureInvariant)]
    private static partial Regex TelemetryName();

    [GeneratedRegex(@"\]\((?<target>[^)\s]+)[^)]*\)|^\[[^\]]+\]:\s*(?<target>\S+)", RegexOptions.Multiline)]
    private static partial Regex Link();

    [GeneratedRegex("^```.*?^```|`[^`\n]*`", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Code();

    [GeneratedRegex(@"^\| (?<rule>[RI]\d+) \|", RegexOptions.Multiline)]
    private static partial Regex RuleRow();

    [GeneratedRegex(@"`(?<type>\w+Tests)\.(?<method>\w+)`")]
    private static partial Regex TestName();

    [GeneratedRegex("^[a-z][a-z0-9+.-]*:", RegexOptions.IgnoreCase)]
    private static partial Regex Scheme();
}
