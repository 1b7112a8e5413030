namespace FenceGateway.Architecture.Tests;

/// <summary>The checkout that the tests were built from, as text.</summary>
internal static class Repository
{
    private static readonly string[] Generated =
        [".git", ".vs", ".idea", "bin", "obj", "artifacts", "data", "TestResults", "BenchmarkDotNet.Artifacts", "node_modules"];

    /// <summary>The folder of the solution file.</summary>
    public static string Root { get; } = FindRoot();

    /// <summary>What is kept in the repository below a folder, as paths from the root with forward slashes.</summary>
    public static IEnumerable<string> Files(string folder = "")
    {
        var directory = new DirectoryInfo(Path.Combine(Root, folder));
        foreach (var file in directory.EnumerateFiles().Where(file => !Generated.Contains(file.Name)))
        {
            yield return Relative(file);
        }

        foreach (var file in directory.EnumerateDirectories().Where(IsKept).SelectMany(sub => Files(Relative(sub))))
        {
            yield return file;
        }
    }

    /// <summary>The folders below a folder, as paths from the root with forward slashes.</summary>
    public static IEnumerable<string> Folders(string folder) =>
        new DirectoryInfo(Path.Combine(Root, folder)).EnumerateDirectories().Where(IsKept)
            .SelectMany(sub => Folders(Relative(sub)).Prepend(Relative(sub)));

    public static bool Has(string path) => File.Exists(Path.Combine(Root, path));

    public static string Read(string path) => File.ReadAllText(Path.Combine(Root, path));

    private static bool IsKept(DirectoryInfo folder) => folder.LinkTarget is null && !Generated.Contains(folder.Name);

    private static string Relative(FileSystemInfo entry) =>
        Path.GetRelativePath(Root, entry.FullName).Replace('\\', '/');

    private static string FindRoot()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "FenceGateway.sln")))
        {
            folder = folder.Parent;
        }

        return folder?.FullName
            ?? throw new InvalidOperationException($"No FenceGateway.sln above {AppContext.BaseDirectory}.");
    }
}
