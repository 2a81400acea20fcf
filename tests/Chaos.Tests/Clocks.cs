namespace WebRtcIms.Chaos.Tests;

/// <summary>Clocks of some parts, which a test can set while they run. A small library adds an offset to the time of the machine.</summary>
internal sealed class Clocks(DirectoryInfo folder)
{
    private const string Compiler = "/usr/bin/gcc";

    // The others keep the time of the machine.
    private static readonly string[] Parts = ["turn-2", "ep-cscf-2", "waf"];

    private string Library => Path.Combine(folder.FullName, "step-clock.so");

    /// <summary>Makes the library where there is a compiler.</summary>
    public async Task PrepareAsync()
    {
        if (!File.Exists(Compiler)) return;
        var source = Path.Combine(AppContext.BaseDirectory, "step-clock.c");
        var result = await Command.RunAsync(Compiler, ["-shared", "-fPIC", "-Wall", "-Werror", "-o", Library, source, "-ldl"]);
        Assert.True(result.ExitCode == 0, result.Output);
    }

    /// <summary>Skips the test where no clock can be set.</summary>
    public void Require()
    {
        Tools.Require("gcc", "gcc");
        Assert.SkipUnless(File.Exists(Library), $"{Compiler} is missing");
    }

    /// <summary>Environment variables for a part.</summary>
    public Dictionary<string, string> SettingsOf(string part)
    {
        if (!Parts.Contains(part) || !File.Exists(Library)) return [];
        Set(part, 0);
        return new Dictionary<string, string> { ["LD_PRELOAD"] = Library, ["STEP_CLOCK"] = FileOf(part) };
    }

    /// <summary>Sets the clock of a part to so many seconds from the time of the machine. It has effect at once.</summary>
    public void Set(string part, int seconds)
    {
        // The part has mapped the file, so it stays the same one.
        using var file = new FileStream(FileOf(part), FileMode.OpenOrCreate, FileAccess.Write, FileShare.ReadWrite);
        file.Write(BitConverter.GetBytes(seconds));
    }

    private string FileOf(string part) => Path.Combine(folder.FullName, part);
}
