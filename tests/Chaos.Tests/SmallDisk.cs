using System.Diagnostics;

namespace WebRtcIms.Chaos.Tests;

/// <summary>
/// A folder on a disk of a few megabytes, which a test can fill. Only root can mount it; for others it is an ordinary folder.
/// </summary>
internal sealed class SmallDisk : IDisposable
{
    private const string Size = "16m";
    private const int Block = 64 * 1024;

    private readonly bool _isMounted;

    public SmallDisk(string path)
    {
        Path = path;
        _isMounted = Environment.UserName == "root" && Run("mount", "-t", "tmpfs", "-o", $"size={Size}", "chaos", path);
    }

    public string Path { get; }

    private string Filler => System.IO.Path.Combine(Path, "filler");

    /// <summary>Skips the test where nothing was mounted.</summary>
    public void Require() => Assert.SkipUnless(_isMounted, "a disk of a few megabytes can only be mounted by root");

    /// <summary>Writes until nothing more fits.</summary>
    public void Fill()
    {
        using var filler = new FileStream(Filler, FileMode.Create, FileAccess.Write, FileShare.None, bufferSize: 0);
        foreach (var size in (int[])[Block, 1])
        {
            try
            {
                while (true) filler.Write(new byte[size]);
            }
            catch (IOException)
            {
                // Full, to this size.
            }
        }
    }

    public void Free() => File.Delete(Filler);

    public void Dispose()
    {
        if (_isMounted) Run("umount", Path);
    }

    private static bool Run(string program, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardError = true })!;
        process.WaitForExit();
        return process.ExitCode == 0;
    }
}
