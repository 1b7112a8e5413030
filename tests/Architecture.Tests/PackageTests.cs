using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace FenceGateway.Architecture.Tests;

/// <summary>Packages are what they say they are, and docs/adr/0002-packages.md names them all.</summary>
public sealed partial class PackageTests
{
    private static readonly string[] Suffixes = [".csproj", ".props", ".targets"];

    public static TheoryData<string, string> Versions =>
        [.. XDocument.Parse(Repository.Read("Directory.Packages.props")).Descendants("PackageVersion")
            .Select(package => (package.Attribute("Include")!.Value, package.Attribute("Version")!.Value))];

    [Fact]
    public void BuildFiles_OfTheRepository_TakeNoPackageOutOfTheGraph() =>
        BuildFiles().Where(path => Repository.Read(path).Contains("PrunePackageReference", StringComparison.Ordinal))
            .ShouldBeEmpty();

    /// <summary>
    /// NU1603 and NU1608 say that another version came than was asked for. Warnings are errors unless somebody silences
    /// them.
    /// </summary>
    [Fact]
    public void BuildFiles_OfTheRepository_SilenceNoWarningOfRestore() =>
        BuildFiles().Where(path => RestoreWarning().IsMatch(Repository.Read(path))).ShouldBeEmpty();

    [Fact]
    public void BuildFiles_OfTheRepository_NameVersionsInOnePlaceOnly() =>
        BuildFiles().Where(path => Repository.Read(path).Contains("VersionOverride", StringComparison.Ordinal))
            .ShouldBeEmpty();

    [Theory]
    [MemberData(nameof(Versions))]
    public void Versions_OfPackages_AreInTheRecord(string package, string version) =>
        Repository.Read("docs/adr/0002-packages.md").ShouldContain($"| {package} | {version} |");

    private static IEnumerable<string> BuildFiles() =>
        Repository.Files().Where(path => Suffixes.Contains(Path.GetExtension(path), StringComparer.Ordinal));

    [GeneratedRegex(@"NU1\d{3}", RegexOptions.CultureInvariant)]
    private static partial Regex RestoreWarning();
}
