namespace FenceGateway.Architecture.Tests;

/// <summary>Build and test run know only the solution: what is missing there is never tested.</summary>
public sealed class SolutionTests
{
    [Fact]
    public void Projects_OfTheRepository_AreInTheSolution()
    {
        var solution = Repository.Read("FenceGateway.sln").Replace('\\', '/');

        Projects("").Where(path => !solution.Contains($"\"{path}\"", StringComparison.Ordinal)).ShouldBeEmpty();
    }

    [Fact]
    public void Projects_UnderSrc_HaveTests() =>
        Projects("src").Select(path => Path.GetFileNameWithoutExtension(path))
            .Where(name => !Repository.Has($"tests/{name}.Tests/{name}.Tests.csproj"))
            .ShouldBeEmpty();

    private static IEnumerable<string> Projects(string folder) =>
        Repository.Files(folder).Where(path => path.EndsWith(".csproj", StringComparison.Ordinal));
}
