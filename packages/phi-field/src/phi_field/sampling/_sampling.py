"""The linear primitives that a discretisation supplies. Everything else in phi-field is composed of them.

Values have one entry per *component* of their site: one at centers and vertices; one per axis at faces and
edges, along the channel dim `vector` (the component normal to the face). Where each site holds all components
of a vector, the axis of the face is listed along the dual dim `~vector` instead.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from phi_field.sampling._site import Site
from phi_geom import Box, Geometry
from phi_tensor import Shape, Tensor
from phi_tensor.extrapolation import Extrapolation


class Sampling(ABC):
    """Where values are, and the linear operations between sites. Final subclasses, one per discretisation."""

    @property
    @abstractmethod
    def geometry(self) -> Geometry:
        """The cells."""

    @property
    @abstractmethod
    def shape(self) -> Shape:
        """Dims that list the cells."""

    @property
    @abstractmethod
    def bounds(self) -> Box:
        """Box around all cells."""

    @property
    @abstractmethod
    def axes(self) -> tuple[str, ...]:
        """Names of the physical axes."""

    @abstractmethod
    def points(self, site: Site, boundary: Extrapolation) -> Tensor:
        """Positions of the stored values `(…, vector)`.

        With `~vector` where sites have several components.
        """

    @abstractmethod
    def measure(self, site: Site) -> Tensor:
        """Volume of a cell, or areas of faces along `vector`."""

    @abstractmethod
    def difference(
        self,
        values: Tensor,
        site: Site,
        boundary: Extrapolation,
        target: Extrapolation | None,
        axes: tuple[str, ...],
    ) -> Tensor:
        """Derivative along each axis between neighbouring sites, along `~vector` (cell → face).

        Args:
            values: Stored values.
            site: Where they sit.
            boundary: Values outside.
            target: Boundary of the result, which decides about the outer sites; None for all of them.
            axes: Axes to differentiate along.
        """

    @abstractmethod
    def collect(self, flux: Tensor, axes: tuple[str, ...]) -> Tensor:
        """Net outflow per volume of each cell (face → cell).

        Minus the transpose of `difference`, weighted by volumes.

        Args:
            flux: Values at all sites around each cell: along `~vector`, as `difference` returns them for
                `target=None`, or the normal components along `vector`.
            axes: Axes of `flux`.
        """

    @abstractmethod
    def central_difference(
        self, values: Tensor, boundary: Extrapolation, axes: tuple[str, ...], dim: Shape
    ) -> Tensor:
        """Mean of `difference` over the faces of each cell.

        Derivative at the cells themselves, along `dim` (cell → cell).

        Args:
            values: Values at centers.
            boundary: Values outside.
            axes: Axes to differentiate along.
            dim: Dim of the result that lists the axes.
        """

    @abstractmethod
    def laplace(self, values: Tensor, boundary: Extrapolation, axes: tuple[str, ...]) -> Tensor:
        """`collect` of `difference` in one step, for every component at its own sites."""

    @abstractmethod
    def interpolate(
        self,
        values: Tensor,
        site: Site,
        boundary: Extrapolation,
        target: Site,
        target_boundary: Extrapolation | None,
    ) -> Tensor:
        """Values at other sites of the same cells, linear in between (site → site).

        Args:
            values: Stored values.
            site: Where they sit.
            boundary: Values outside.
            target: Where they are wanted.
            target_boundary: Boundary of the result, which decides about the outer sites; None for all of
                them.
        """

    @abstractmethod
    def surround(
        self,
        values: Tensor,
        site: Site,
        boundary: Extrapolation,
        target: Site,
        target_boundary: Extrapolation | None,
    ) -> Tensor:
        """Like `interpolate`, but whole vectors at each site.

        Along `~vector` where sites have several components.
        """

    @abstractmethod
    def with_faces(
        self, values: Tensor, site: Site, boundary: Extrapolation, target: Extrapolation
    ) -> Tensor:
        """Values with the outer sites that `target` stores.

        Missing ones come from `boundary`, others are dropped.
        """

    @abstractmethod
    def component_shape(self, site: Site, boundary: Extrapolation) -> Shape:
        """Dims of the values stored at a site; sizes vary along `vector` where components differ."""

    @abstractmethod
    def trimmed(self, values: Tensor, site: Site, boundary: Extrapolation) -> Tensor:
        """Stored values of a tensor that is constant.

        Or lists a value for every site including outer ones.
        """

    @abstractmethod
    def evaluate(self, values: Tensor, site: Site, boundary: Extrapolation, points: Tensor) -> Tensor:
        """Values at any points `(…, vector)`, multilinear between the samples."""

    @abstractmethod
    def pull_back(self, values: Tensor, site: Site, boundary: Extrapolation, points: Tensor) -> Tensor:
        """Values at one point per site: component by component where `points` has `~vector`."""

    @abstractmethod
    def pull_back_with_bounds(
        self, values: Tensor, site: Site, boundary: Extrapolation, points: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """`pull_back`.

        And the lowest and highest of the values that each of its values was interpolated between.
        """

    @abstractmethod
    def deposit(self, values: Tensor, points: Tensor, site: Site, boundary: Extrapolation) -> Tensor:
        """Transpose of `evaluate`.

        Values at points summed into the sites around them, with the same weights.
        """
