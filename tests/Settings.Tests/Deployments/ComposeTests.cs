using System.Text.RegularExpressions;
using WebRtcIms.Tests.Common;
using YamlDotNet.Core;
using YamlDotNet.Serialization;

namespace WebRtcIms.Settings.Tests.Deployments;

/// <summary>
/// <c>deploy/compose/compose.yaml</c> against the keys of the Compose specification, the settings of the parts and their images. No
/// engine is needed.
/// </summary>
public sealed partial class ComposeTests
{
    // Of the Compose specification: those of the document, of a service that this file uses, and below them.
    private static readonly string[] DocumentKeys = ["services", "networks", "volumes", "configs"];

    private static readonly string[] ServiceKeys =
    [
        "cap_add", "cap_drop", "command", "configs", "depends_on", "entrypoint", "environment", "healthcheck", "image", "network_mode",
        "ports", "read_only", "restart", "security_opt", "stop_grace_period", "tmpfs", "ulimits", "user", "volumes",
    ];

    private static readonly string[] HealthKeys = ["test", "interval", "timeout", "retries", "start_period", "start_interval"];

    private static readonly string[] Conditions = ["service_started", "service_healthy", "service_completed_successfully"];

    private static readonly string Text = File.ReadAllText(Repository.PathOf("deploy", "compose", "compose.yaml"));

    private static readonly Dictionary<object, object> Document =
        new DeserializerBuilder().WithDuplicateKeyChecking().Build()
            .Deserialize<Dictionary<object, object>>(new MergingParser(new Parser(new StringReader(Text))));

    private static Dictionary<object, object> Services => Map(Document["services"]);

    [Fact]
    public void Keys_AreThoseOfTheSpecification()
    {
        Assert.Empty(Names(Document).Where(key => !key.StartsWith("x-", StringComparison.Ordinal)).Except(DocumentKeys));
        Assert.All(Services, service => Assert.Empty(Names(Map(service.Value)).Except(ServiceKeys)));
        Assert.Empty(Sections("healthcheck").SelectMany(Names).Except(HealthKeys));
    }

    [Fact]
    public void References_LeadToServicesVolumesAndConfigs()
    {
        foreach (var (name, condition) in Sections("depends_on").SelectMany(each => each))
        {
            Assert.Contains(name, Services.Keys);
            var wanted = (string)Map(condition)["condition"];
            Assert.Contains(wanted, Conditions);
            Assert.True(wanted != "service_healthy" || Map(Services[name]).ContainsKey("healthcheck"), $"{name} has no health check");
        }

        var volumes = Lists("volumes").Select(volume => volume.Split(':')[0]).Where(source => source[0] != '.').Distinct().Order();
        Assert.Equal(Names(Map(Document["volumes"])).Order(), volumes);
        Assert.All(Services.Values.Select(Map).Where(service => service.ContainsKey("configs")), service =>
            Assert.All((List<object>)service["configs"], config => Assert.Contains(Map(config)["source"], Map(Document["configs"]).Keys)));
    }

    [Fact]
    public void Parts_RunTheirImages_ReadOnly_WithoutRights_AndAnswerForTheirHealth()
    {
        foreach (var (name, project) in Parts.Projects)
        {
            var service = Map(Services[name]);
            Assert.Equal($"webrtcims/{name}:${{WEBRTCIMS_VERSION:-{Repository.Version}}}", service["image"]);
            Assert.Equal("true", service["read_only"]);
            Assert.Equal(["ALL"], (List<object>)service["cap_drop"]);
            Assert.Equal(["CMD", "dotnet", $"WebRtcIms.{project}.dll", "--health"], (List<object>)Map(service["healthcheck"])["test"]);
        }

        Assert.Equal("host", Map(Services["turn"])["network_mode"]);
        Assert.All(Services.Values.Select(Map), service => Assert.Equal("true", service["read_only"]));
    }

    [Fact]
    public void Variables_AreSettingsOfTheirParts()
    {
        foreach (var (name, project) in Parts.Projects)
        {
            var environment = Names(Map(Map(Services[name])["environment"])).ToList();
            Assert.NotEmpty(environment);
            Assert.All(environment, variable => Assert.True(KnownSettings.Has(project, variable), $"{name}: {variable}"));
        }
    }

    [Fact]
    public async Task Secrets_HasEveryVariableOfTheFile()
    {
        var folder = Directory.CreateTempSubdirectory("compose-");
        try
        {
            var script = Repository.PathOf("deploy", "compose", "secrets");
            var made = await Command.RunAsync(
                "sh", ["-c", $"cd '{folder}' && '{script}' https://phone.example.com example.org turn.example.org"]);
            Assert.True(made.ExitCode == 0, made.Output);
            var file = Path.Combine(folder.FullName, ".env");
            var names = File.ReadLines(file).Select(line => line.Split('=')[0]).Order();

            Assert.Equal(Variable().Matches(Text).Select(match => match.Groups[1].Value).Distinct().Order(), names);
            if (!OperatingSystem.IsWindows())
                Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(file));
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static Dictionary<object, object> Map(object node) => (Dictionary<object, object>)node;

    private static IEnumerable<string> Names(Dictionary<object, object> map) => map.Keys.Cast<string>();

    private static IEnumerable<Dictionary<object, object>> Sections(string key) =>
        Services.Values.Select(Map).Where(service => service.ContainsKey(key)).Select(service => Map(service[key]));

    private static IEnumerable<string> Lists(string key) =>
        Services.Values.Select(Map).Where(service => service.ContainsKey(key))
            .SelectMany(service => ((List<object>)service[key]).Cast<string>());

    // WEBRTCIMS_VERSION has a default.
    [GeneratedRegex(@"\$\{([A-Z_]+)(?::\?[^}]+)?\}")]
    private static partial Regex Variable();
}
