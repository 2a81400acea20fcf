using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;

namespace WebRtcIms.WicWeb.Tests;

/// <summary>The linter and the unit tests of the pages (<c>web/test</c>), run by Node.</summary>
public sealed partial class ClientTests
{
    [Fact]
    public async Task PageUnitTests_Pass()
    {
        var cancel = TestContext.Current.CancellationToken;
        var start = OperatingSystem.IsWindows() ? new ProcessStartInfo("cmd", ["/c", "npm test"]) : new ProcessStartInfo("npm", ["test"]);
        start.WorkingDirectory = WebFolder();
        start.RedirectStandardOutput = start.RedirectStandardError = true;
        using var npm = Process.Start(start)!;
        var errors = npm.StandardError.ReadToEndAsync(cancel);
        var output = await npm.StandardOutput.ReadToEndAsync(cancel) + await errors;
        await npm.WaitForExitAsync(cancel);

        Assert.True(npm.ExitCode == 0, output);
        Assert.True(int.Parse(PassedCount().Match(output).Groups[1].Value, CultureInfo.InvariantCulture) >= 90, output);
    }

    private static string WebFolder()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            var tests = Path.Combine(folder.FullName, "web", "test");
            if (Directory.Exists(tests)) return Path.Combine(folder.FullName, "web");
        }
        throw new DirectoryNotFoundException("web/test is not above the test's folder.");
    }

    [GeneratedRegex(@"pass (\d+)")]
    private static partial Regex PassedCount();
}
