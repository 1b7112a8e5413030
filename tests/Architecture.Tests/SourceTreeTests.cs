using System.Reflection;
using System.Text.RegularExpressions;
using FenceGateway.Fencing;
using FenceGateway.Gateway.Problems;
using FenceGateway.TokenStore;
using Microsoft.Extensions.Logging;

namespace FenceGateway.Architecture.Tests;

/// <summary>What the compiler and the formatter do not look at.</summary>
public sealed partial class SourceTreeTests
{
    private const int LongestFile = 400;
    private const int LongestLine = 120;

    private static readonly string[] NamesWithoutAFeature = ["Helpers", "Utils", "Interfaces", "Common"];

    [Fact]
    public void Folders_UnderSrc_AreNamedAfterAFeature() =>
        Repository.Folders("src")
            .Where(path => NamesWithoutAFeature.Contains(Path.GetFileName(path), StringComparer.OrdinalIgnoreCase))
            .ShouldBeEmpty();

    [Fact]
    public void SourceFiles_UnderSrc_AreShortEnoughToRead() =>
        SourceFiles()
            .Select(path => (Path: path, Lines: Repository.Read(path).AsSpan().Count('\n')))
            .Where(file => file.Lines > LongestFile)
            .ShouldBeEmpty($"Split by idea: no file is longer than {LongestFile} lines.");

    [Fact]
    public void LogMessages_OfAllAssemblies_HaveEventIdsOfTheirOwn()
    {
        var messages = LogMessages();

        messages.ShouldNotBeEmpty();
        messages.Where(message => message.Attribute.EventId <= 0)
            .ShouldBeEmpty("A message without an event id cannot be searched for.");
        messages.GroupBy(message => message.Attribute.EventId)
            .Where(group => group.Count() > 1)
            .Select(group => $"{group.Key}: {string.Join(", ", group.Select(message => message.Name))}")
            .ShouldBeEmpty();
    }

    [Fact]
    public void Lines_UnderSrc_FitBesideEachOther() =>
        SourceFiles()
            .SelectMany(
                path => Repository.Read(path).Split('\n').Select((line, i) => (Path: path, Line: i + 1, line.Length)))
            .Where(line => line.Length > LongestLine)
            .ShouldBeEmpty($"No line is longer than {LongestLine} characters.");

    [Fact]
    public void LogMessages_OfAllAssemblies_NameTheirFieldsAlike() =>
        LogMessages()
            .Where(message => PascalCaseField().IsMatch(message.Attribute.Message))
            .Select(message => message.Name)
            .ShouldBeEmpty("Fields of a log line are camelCase, whoever writes it.");

    [Fact]
    public void Files_OfTheRepository_NameNoPathOfABuildMachine() =>
        Repository.Files()
            .SelectMany(path => Repository.Read(path).Split('\n')
                .Select((text, index) => (Place: $"{path}:{index + 1}", Text: text)))
            .Where(line => MachinePath().IsMatch(line.Text))
            .Select(line => $"{line.Place}: {line.Text.Trim()}")
            .ShouldBeEmpty();

    private static (string Name, LoggerMessageAttribute Attribute)[] LogMessages()
    {
        Assembly[] assemblies =
            [typeof(FencingToken).Assembly, typeof(ITokenStore).Assembly, typeof(ProblemType).Assembly];
        const BindingFlags All = BindingFlags.Static | BindingFlags.Instance
            | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly;
        return
        [
            .. from assembly in assemblies
               from type in assembly.GetTypes()
               from method in type.GetMethods(All)
               let attribute = method.GetCustomAttribute<LoggerMessageAttribute>()
               where attribute is not null
               select ($"{type.Name}.{method.Name}", attribute),
        ];
    }

    private static IEnumerable<string> SourceFiles() =>
        Repository.Files("src").Where(path => path.EndsWith(".cs", StringComparison.Ordinal));

    [GeneratedRegex(@"\{[A-Z]", RegexOptions.CultureInvariant)]
    private static partial Regex PascalCaseField();

    // The character classes keep the pattern from matching itself.
    [GeneratedRegex(@"(?<![\w.}~-])/(?:wor[k]/|tm[p]/wt\b|roo[t]/)", RegexOptions.CultureInvariant)]
    private static partial Regex MachinePath();
}
