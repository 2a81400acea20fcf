using System.Text.Json;
using WebRtcIms.Tests.Common;

namespace WebRtcIms.Settings.Tests.Deployments;

/// <summary>
/// The images that <c>dotnet publish -t:PublishContainer</c> makes, up to the point where the SDK fetches their base image.
/// </summary>
public sealed class ImageTests
{
    private const string App = "/app/";

    private static readonly Dictionary<string, (string Part, string[] Ports)> Expected = new()
    {
        ["webrtcims/ep-cscf"] = ("EpCscf", ["8084/tcp"]),
        ["webrtcims/flow-view"] = ("FlowView", ["4318/tcp"]),
        ["webrtcims/turn"] = ("Turn", ["3478/tcp", "3478/udp", "5349/tcp", "5349/udp", "8083/tcp"]),
        ["webrtcims/waf"] = ("Waf", ["8081/tcp"]),
        ["webrtcims/wic-web"] = ("WicWeb", ["8080/tcp"]),
        ["webrtcims/wwsf"] = ("Wwsf", ["8082/tcp"]),
    };

    [Fact]
    public async Task Images_HaveTheirNamesPortsAndLabels_AndRunWithoutRootOnAChiselledBase()
    {
        var images = await DescribeAsync();

        Assert.Equal(Expected.Keys, images.Keys.Order(StringComparer.Ordinal));
        Assert.All(images, image =>
        {
            var (part, ports) = Expected[image.Key];
            var described = image.Value;
            Assert.Equal(ports, List(described, "Ports").Order(StringComparer.Ordinal));
            Assert.Equal([Repository.Version], List(described, "Tags"));
            Assert.Equal("dotnet/aspnet:10.0-noble-chiseled-extra", described["Base"]);
            Assert.Equal("1654", described["User"]);
            Assert.Equal(App, described["Folder"]);
            Assert.Equal(["dotnet", $"{App}WebRtcIms.{part}.dll"], List(described, "Command"));
            Assert.Contains("DOTNET_EnableDiagnostics=0", List(described, "Environment"));
            Assert.Contains($"ASPNETCORE_HTTP_PORTS={PortOf(part)}", List(described, "Environment"));
            var labels = List(described, "Labels");
            Assert.Contains($"org.opencontainers.image.title={image.Key}", labels);
            Assert.Contains($"org.opencontainers.image.version={Repository.Version}", labels);
            Assert.Contains("org.opencontainers.image.licenses=MIT", labels);
            Assert.Contains(labels, label => label.StartsWith("org.opencontainers.image.description=", StringComparison.Ordinal));
        });
    }

    // The port at which the part listens when a developer runs it.
    private static string PortOf(string part) =>
        JsonElement.Parse(File.ReadAllText(Repository.PathOf(part, "Properties", "launchSettings.json")))
            .GetProperty("profiles").GetProperty("http").GetProperty("applicationUrl").GetString()!.Split(':')[^1];

    private static string[] List(Dictionary<string, string> image, string name) => image[name].Split(';');

    private static async Task<Dictionary<string, Dictionary<string, string>>> DescribeAsync()
    {
        var described = await Command.RunAsync(
            "dotnet",
            [
                "msbuild", Repository.PathOf("deploy", "images", "Images.proj"), "-t:Describe", "-getTargetResult:Describe",
                "-nodeReuse:false", "-nologo",
            ],
            TimeSpan.FromMinutes(2));
        Assert.True(described.ExitCode == 0, described.Output);
        return JsonElement.Parse(described.Output).GetProperty("TargetResults").GetProperty("Describe").GetProperty("Items")
            .EnumerateArray()
            .Select(item => item.EnumerateObject().ToDictionary(value => value.Name, value => value.Value.GetString()!))
            .ToDictionary(item => item["Identity"]);
    }
}
