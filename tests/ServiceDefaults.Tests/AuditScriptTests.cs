using System.Diagnostics;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.ServiceDefaults.Tests;

/// <summary><c>.ci/audit</c>, with registries of our own: programs named <c>dotnet</c> and <c>npm</c>.</summary>
public sealed class AuditScriptTests : IDisposable
{
    private const string Hole = """{ "vulnerabilities": [ { "severity": "High", "advisoryurl": "GHSA-1" } ] }""";
    private const string SmallHole = """{ "vulnerabilities": [ { "severity": "Low", "advisoryurl": "GHSA-2" } ] }""";
    private const string Nothing = "{ }";
    private const string NpmHole = """{ "auditReportVersion": 2, "metadata": { "vulnerabilities": { "high": 0, "critical": 1 } } }""";
    private const string NpmSmallHole = """{ "auditReportVersion": 2, "metadata": { "vulnerabilities": { "high": 0, "low": 3 } } }""";

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("audit-tests-");

    public static TheoryData<string, string, string, int, string, string> Answers => new()
    {
        { Hole, Nothing, NpmSmallHole, 0, "NuGet packages: audited", "npm packages: audited" },
        { Hole, SmallHole, NpmSmallHole, 0, "NuGet packages: audited", "npm packages: audited" },
        { Hole, Hole, NpmSmallHole, 1, "NuGet packages: a known hole", "npm packages: audited" },
        { Hole, Nothing, NpmHole, 1, "NuGet packages: audited", "npm packages: a known hole" },
        // A registry that does not know the hole of the first package knows none.
        { Nothing, Nothing, """{ "error": "405" }""", 0, "NuGet packages: not audited", "npm packages: not audited" },
        { Nothing, Nothing, "", 0, "NuGet packages: not audited", "npm packages: not audited" },
    };

    public void Dispose() => _folder.Delete(recursive: true);

    [Theory]
    [MemberData(nameof(Answers))]
    [Requirement("SEC-32")]
    public async Task Audit_FailsForASevereHole_AndSaysWhenTheRegistryDoesNotAnswer(
        string known, string packages, string npm, int code, string nugetLine, string npmLine)
    {
        if (OperatingSystem.IsWindows()) return;
        Write("known.json", known);
        Write("packages.json", packages);
        Write("npm.json", npm);
        WriteProgram("dotnet", $"""
            case "$1 $2" in
              list*known.csproj) cat '{_folder.FullName}/known.json' ;;
              list*) cat '{_folder.FullName}/packages.json' ;;
              tool*) exit 1 ;;
            esac
            """);
        WriteProgram("npm", $"cat '{_folder.FullName}/npm.json'; echo; exit 1");
        _folder.CreateSubdirectory(".ci");
        _folder.CreateSubdirectory("web");
        File.Copy(Repository.PathOf(".ci", "audit"), Path.Combine(_folder.FullName, ".ci", "audit"));

        var (exit, output) = await RunAsync();

        Assert.True(code == exit, $"{exit}: {output}");
        Assert.Contains($"\n{nugetLine}", $"\n{output}");
        Assert.Contains($"\n{npmLine}", $"\n{output}");
        Assert.Contains("\nSBOM: not made", output);
    }

    [Fact]
    [Requirement("SEC-32")]
    public void Ci_RunsTheAudit() => Assert.Contains(".ci/audit", File.ReadAllText(Repository.PathOf(".ci", "run")));

    private void Write(string name, string text) => File.WriteAllText(Path.Combine(_folder.FullName, name), text);

    private void WriteProgram(string name, string text)
    {
        var path = Path.Combine(_folder.CreateSubdirectory("bin").FullName, name);
        File.WriteAllText(path, $"#!/bin/sh\n{text}\n");
        if (!OperatingSystem.IsWindows()) File.SetUnixFileMode(path, (UnixFileMode)0b111_101_101);
    }

    private async Task<(int Code, string Output)> RunAsync()
    {
        using var process = Process.Start(new ProcessStartInfo("bash", [Path.Combine(_folder.FullName, ".ci", "audit")])
        {
            RedirectStandardOutput = true,
            Environment = { ["PATH"] = $"{_folder.FullName}/bin:{Environment.GetEnvironmentVariable("PATH")}" },
        })!;
        var output = await process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        return (process.ExitCode, output);
    }
}
