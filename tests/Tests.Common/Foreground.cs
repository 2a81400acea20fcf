using System.Diagnostics;

namespace WebRtcIms.Tests.Common;

/// <summary>
/// Programs that end by SIGINT. A shell starts its background jobs with SIGINT and SIGQUIT ignored, and all their children inherit that: the
/// tests then send signals in vain. GNU <c>env</c> gives a program the defaults back.
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
