using System.Globalization;
using System.Text.RegularExpressions;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.Interop.Tests.Systemd;

/// <summary>The units of <c>deploy/systemd</c>, checked by systemd, and what the script puts in place.</summary>
public sealed partial class UnitTests : IDisposable
{
    private const string Origin = "https://phone.example.com";

    // Of ten. 0 is a unit that can do nothing.
    private const double MaxExposure = 2.0;

    private readonly Installation _installation = new();

    public void Dispose() => _installation.Dispose();

    [Fact]
    public async Task Units_AreAcceptedBySystemd_AndExposeLittle()
    {
        var analyze = Tools.Require("systemd-analyze", "systemd");
        _installation.PublishEmpty("#!/bin/sh");
        await _installation.InstallAsync(Origin);
        var units = Parts.Projects.Keys.Select(_installation.UnitOf).ToList();
        // The programs are in the folder of this test.
        foreach (var unit in units)
            File.WriteAllText(unit, File.ReadAllText(unit).Replace("/opt/", _installation.PathOf("/opt/"), StringComparison.Ordinal));

        var target = _installation.PathOf("/etc/systemd/system/webrtcims.target");
        var verified = await Command.RunAsync(analyze, ["verify", "--man=no", "--recursive-errors=no", target, .. units]);
        Assert.True(verified is { ExitCode: 0, Output: "" }, verified.Output);

        foreach (var unit in units)
        {
            var security = await Command.RunAsync(analyze, ["security", "--offline=true", "--no-pager", unit]);
            var exposure = Exposure().Match(security.Output);
            Assert.True(exposure.Success, security.Output);
            var level = double.Parse(exposure.Groups[1].Value, CultureInfo.InvariantCulture);
            Assert.True(level <= MaxExposure, security.Output);
        }
    }

    [Fact]
    public async Task SettingsAndSecrets_ArePrivateAndComplete_AndStayInAnUpgrade()
    {
        _installation.PublishEmpty("1");
        await _installation.InstallAsync(Origin);
        var files = Directory.GetFiles(_installation.PathOf("/etc/webrtcims"));
        var before = files.ToDictionary(file => file, File.ReadAllText);

        Assert.Equal(Parts.Projects.Keys.Select(_installation.SettingsOf).Order(), before.Keys.Where(IsSettings).Order());
        Assert.All(before, file =>
        {
            Assert.DoesNotMatch(Placeholder(), file.Value);
            AssertPrivate(file.Key, "600");
        });
        foreach (var folder in (string[])["/etc/webrtcims", "/var/lib/webrtcims/waf", "/var/lib/webrtcims/wwsf"])
            AssertPrivate(_installation.PathOf(folder), "700");
        Assert.Equal(
            Assignments.Of(_installation.SettingsOf("waf"), "Waf__TurnServers__0__Key"),
            Assignments.Of(_installation.SettingsOf("turn"), "Turn__Keys__0__Key"));

        _installation.PublishEmpty("2");
        await _installation.InstallAsync(Origin, "turn");

        Assert.All(before, file => Assert.Equal(file.Value, File.ReadAllText(file.Key)));
        Assert.Equal("2", File.ReadAllText(_installation.PathOf("/opt/webrtcims/turn/WebRtcIms.Turn")));
        Assert.Equal("1", File.ReadAllText(_installation.PathOf("/opt/webrtcims/turn.old/WebRtcIms.Turn")));
        Assert.Equal("1", File.ReadAllText(_installation.PathOf("/opt/webrtcims/waf/WebRtcIms.Waf")));
    }

    private static bool IsSettings(string file) => file.EndsWith(".env", StringComparison.Ordinal);

    private static void AssertPrivate(string path, string mode)
    {
        if (OperatingSystem.IsWindows()) return;
        Assert.Equal(mode, Convert.ToString((int)File.GetUnixFileMode(path), 8));
    }

    [GeneratedRegex(@"Overall exposure level for \S+: ([0-9.]+)")]
    private static partial Regex Exposure();

    [GeneratedRegex("@[A-Z_]+@")]
    private static partial Regex Placeholder();
}
