using System.Diagnostics;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.Interop.Tests;

/// <summary>The WAF from its own output folder, in an empty folder with its store.</summary>
internal sealed class WafProcess : ServerProcess
{
    // Configuration and framework, such as Debug/net10.0, as the tests were built.
    private static readonly string[] OutputFolder =
        AppContext.BaseDirectory.TrimEnd(Path.DirectorySeparatorChar).Split(Path.DirectorySeparatorChar)[^2..];

    private readonly DirectoryInfo _folder;

    private WafProcess(ProcessStartInfo start, DirectoryInfo folder)
        : base(start) => _folder = folder;

    /// <summary>Returns when the port accepts connections.</summary>
    public static async Task<WafProcess> StartAsync(int port, params (string Name, string Value)[] environment)
    {
        var folder = Directory.CreateTempSubdirectory("waf-interop-");
        var start = Foreground.Of("dotnet", Repository.PathOf(["Waf", "bin", .. OutputFolder, "WebRtcIms.Waf.dll"]));
        start.WorkingDirectory = folder.FullName;
        start.Environment["ConnectionStrings__waf"] = "Data Source=waf.db";
        foreach (var (name, value) in environment) start.Environment[name] = value;
        var waf = new WafProcess(start, folder);
        await waf.UntilUpAsync(cancel => AcceptsAsync(port, cancel));
        return waf;
    }

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        _folder.Delete(recursive: true);
    }
}
