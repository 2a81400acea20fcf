using System.Globalization;

namespace WebRtcIms.Chaos.Tests;

/// <summary>
/// Clocks of some parts, which a test can set while they run: libfaketime gives each the time of the machine and an offset from a file. The
/// monotonic clock is not touched, as in a step of a real clock.
/// </summary>
internal sealed class Clocks(string folder)
{
    private const string Library = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1";

    // The others keep the time of the machine.
    private static readonly string[] Parts = ["turn-2", "ep-cscf-2", "waf"];

    /// <summary>Skips the test where the library is missing.</summary>
    public static void Require()
    {
        Tools.Require("faketime", "faketime");
        Assert.SkipUnless(File.Exists(Library), $"{Library} is missing");
    }

    /// <summary>Environment variables for a part.</summary>
    public Dictionary<string, string> SettingsOf(string part)
    {
        if (!Parts.Contains(part) || !File.Exists(Library)) return [];
        Set(part, 0);
        return new Dictionary<string, string>
        {
            ["LD_PRELOAD"] = Library,
            ["FAKETIME_TIMESTAMP_FILE"] = FileOf(part),
            ["FAKETIME_CACHE_DURATION"] = "1",
            ["FAKETIME_DONT_FAKE_MONOTONIC"] = "1",
            ["DONT_FAKE_MONOTONIC"] = "1",
        };
    }

    /// <summary>Sets the clock of a part to so many seconds from the time of the machine. It has effect within a second.</summary>
    public void Set(string part, int seconds)
    {
        // The library may read the file at any time.
        var next = FileOf(part) + ".next";
        File.WriteAllText(next, string.Create(CultureInfo.InvariantCulture, $"{seconds:+0;-0}s\n"));
        File.Move(next, FileOf(part), overwrite: true);
    }

    private string FileOf(string part) => Path.Combine(folder, part);
}
