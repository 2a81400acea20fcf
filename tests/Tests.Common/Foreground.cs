using System.Diagnostics;

namespace WebRtcIms.Tests.Common;

/// <summary>
/// Starts programs that must react to SIGINT. A shell starts its background jobs with SIGINT and SIGQUIT ignored, and all their children
/// inherit that. A program that a test starts would then ignore these signals. GNU <c>env</c> restores the default actions.
/// </summary>
public static class Foreground
{
    private static readonly Lazy<bool> HasGnuEnv = new(() =>
    {
        if (!OperatingSystem.IsLinux()) return false;
        using var env = Process.Start(new ProcessStartInfo("env", ["--default-signal=INT", "true"]) { RedirectStandardError = true });
        env!.WaitForExit();
        return env.ExitCode == 0;
    });

    /// <summary>The same program, with the default action for SIGINT and SIGQUIT. It keeps its process id.</summary>
    public static ProcessStartInfo Of(string program, params IEnumerable<string> arguments) => HasGnuEnv.Value
        ? new ProcessStartInfo("env", ["--default-signal=INT,QUIT", program, .. arguments])
        : new ProcessStartInfo(program, arguments);
}
