using System.Reflection;

namespace WebRtcIms.AppHost;

/// <summary>
/// Starts services as the programs that the build of the AppHost made. Aspire would call <c>dotnet run --no-build</c> for each, which
/// evaluates the project again: 2 s of CPU time and 135 MB per service (docs/performance.md).
/// </summary>
internal static class BuiltPrograms
{
    /// <summary>The executable of a project that the AppHost references.</summary>
    public static string PathOf<TProject>()
        where TProject : IProjectMetadata, new()
    {
        var project = new TProject().ProjectPath;
        var library = typeof(BuiltPrograms).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>()
            .First(entry => entry.Key == project).Value!;
        return Path.ChangeExtension(library, OperatingSystem.IsWindows() ? ".exe" : null);
    }

    /// <summary>
    /// Starts the service directly, except under <c>dotnet watch</c>, which has to build it again. A debugger takes precedence.
    /// </summary>
    public static IResourceBuilder<ProjectResource> WithBuiltProgram<TProject>(this IResourceBuilder<ProjectResource> service)
        where TProject : IProjectMetadata, new()
    {
        if (service.ApplicationBuilder.Configuration["DOTNET_WATCH"] is "1" or "true") return service;
        var folder = Path.GetDirectoryName(new TProject().ProjectPath)!;
        return service.WithAnnotation(new ExecutableAnnotation { Command = PathOf<TProject>(), WorkingDirectory = folder });
    }
}
