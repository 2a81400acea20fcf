using Aspire.Hosting.ApplicationModel;

namespace Aspire.Hosting;

/// <summary>A project that can be run as a resource. Projects.targets writes one class for each project reference.</summary>
public interface IProjectMetadata : IResourceAnnotation
{
    /// <summary>Absolute path of the project file.</summary>
    string ProjectPath { get; }

    /// <summary>Absolute path of the assembly that was built together with the host.</summary>
    string AssemblyPath { get; }
}
