namespace WebRtcIms.Abuse.Findings;

/// <summary>Findings that no request shows: S29 and S32.</summary>
internal static class Bookkeeping
{
    public static IReadOnlyList<Finding> All { get; } =
    [
        new("S29", _ => Task.FromResult(Verdict.NotTried(
            "it takes 2^32 tokens; docs/security.md has the bound, and Waf.Tests its counter"))),
        new("S32", AuditOfDependencies),
    ];

    /// <summary>CI asks the registries for known vulnerabilities.</summary>
    private static async Task<Verdict> AuditOfDependencies(Targets targets)
    {
        _ = targets;
        var files = Directory.GetFiles(Repository.PathOf(".ci"));
        var ci = string.Concat(await Task.WhenAll(files.Select(file => File.ReadAllTextAsync(file))));
        var (nuget, npm) = (Has("--vulnerable"), Has("npm audit"));
        return Verdict.If(nuget && npm, $"CI audits NuGet: {Text(nuget)}, npm: {Text(npm)}");

        bool Has(string text) => ci.Contains(text, StringComparison.Ordinal);
        static string Text(bool yes) => yes ? "yes" : "no";
    }
}
